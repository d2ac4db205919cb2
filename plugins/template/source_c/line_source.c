/* An event source in C99 and POSIX: every file NAME.txt of a directory is the subject NAME, and each of its
 * whole lines an event whose sequence is the line's number. Lines are only ever added to such a file.
 *
 * cape/plugin.h is the whole contract; each function stands there with its thread and its rules.
 * What to change first: the id in CAPE_MANIFEST, then where open_lines() and next_line() get their rows from.
 */
#define _POSIX_C_SOURCE 200809L
#include <cape/plugin.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#define SUFFIX ".txt"
#define SUFFIX_BYTES (sizeof SUFFIX - 1)
#define NAME_BYTES_MAX 255 /* of a file on Linux */
#define DIR_BYTES_MAX 3500 /* with a name behind it still a path that Linux takes, 4095 */
#define PATH_BYTES_MAX (DIR_BYTES_MAX + 1 + NAME_BYTES_MAX + 1)

struct source {
  char dir[DIR_BYTES_MAX];
};

static cape_bytes text(const char* words) {
  cape_bytes bytes;
  bytes.ptr = (const uint8_t*)words;
  bytes.len = strlen(words);
  return bytes;
}

/* Rising byte order. */
static int compare(cape_bytes a, cape_bytes b) {
  const size_t both = (size_t)(a.len < b.len ? a.len : b.len);
  const int order = both == 0 ? 0 : memcmp(a.ptr, b.ptr, both);
  return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Runs again after a while, and the operator sees why. */
static cape_status retry(struct cape_call* call, const char* what, const char* which) {
  char why[512];
  snprintf(why, sizeof why, "cannot %s %.400s: %s", what, which, strerror(errno));
  call->set_error(call, 0, 0, text(why));
  return CAPE_RETRY;
}

/* ---- the whole lines of one subject, from the first on */

struct lines {
  FILE* file;
  char* line; /* the one read last, without its end */
  size_t bytes, room;
  int64_t number; /* its own; 0 before the first */
};

/* Anybody may ping any name, so one that could leave the directory is no subject. */
static int is_subject(cape_bytes name) {
  return name.len > 0 && name.len <= NAME_BYTES_MAX - SUFFIX_BYTES &&
         memchr(name.ptr, '/', name.len) == NULL && memchr(name.ptr, '\0', name.len) == NULL;
}

static cape_status open_lines(const struct source* source, struct cape_call* call, cape_bytes subject,
                              struct lines* lines) {
  char path[PATH_BYTES_MAX];
  struct stat facts;
  memset(lines, 0, sizeof *lines);
  if (!is_subject(subject)) return CAPE_NOT_FOUND;
  snprintf(path, sizeof path, "%s/%.*s" SUFFIX, source->dir, (int)subject.len, (const char*)subject.ptr);
  if (stat(path, &facts) != 0) return errno == ENOENT ? CAPE_NOT_FOUND : retry(call, "look at", path);
  if (!S_ISREG(facts.st_mode)) return CAPE_NOT_FOUND;
  lines->file = fopen(path, "r");
  return lines->file != NULL ? CAPE_OK : retry(call, "open", path);
}

static void close_lines(struct lines* lines) {
  free(lines->line);
  fclose(lines->file);
}

/* 0: there is no further one. A line without its end is still being written. */
static int next_line(struct lines* lines) {
  const ssize_t bytes = getline(&lines->line, &lines->room, lines->file);
  if (bytes <= 0 || lines->line[bytes - 1] != '\n') return 0;
  lines->bytes = (size_t)bytes - 1;
  ++lines->number;
  return 1;
}

/* Counts the whole lines, then goes back to the first. */
static cape_status count_lines(struct lines* lines, struct cape_call* call, int64_t* count) {
  while (next_line(lines)) continue;
  if (!feof(lines->file)) return retry(call, "read", "the lines"); /* an error, or no memory for one */
  *count = lines->number;
  lines->number = 0;
  rewind(lines->file);
  return CAPE_OK;
}

/* ---- what Cape asks */

/* Once for each process. `dir` must be granted: grant = { read = ["..."] }. Nothing else of the machine's
 * files is there. BAD_CONFIG switches the source off; the log says why. */
static cape_status create(const struct cape_host* host, cape_bytes config, void** self) {
  cape_bytes dir;
  struct stat facts;
  struct source* made;
  (void)config; /* the whole table as JSON; config_get reads one value */
  if (host->config_get(host, text("dir"), &dir) != CAPE_OK || dir.len >= DIR_BYTES_MAX) {
    host->log(host, CAPE_LOG_ERROR, text("config key 'dir' is missing or too long: set it in cape.toml"));
    return CAPE_BAD_CONFIG;
  }
  made = calloc(1, sizeof *made); /* zeroed, so dir ends with a NUL */
  if (made == NULL) return CAPE_NO_MEMORY;
  if (dir.len > 0) memcpy(made->dir, dir.ptr, dir.len);
  if (stat(made->dir, &facts) != 0 || !S_ISDIR(facts.st_mode)) {
    host->log(host, CAPE_LOG_ERROR, text("config key 'dir' names no directory here: grant it for reading"));
    free(made);
    return CAPE_BAD_CONFIG;
  }
  *self = made;
  return CAPE_OK;
}

static void destroy(void* self) {
  free(self);
}

/* A safe upper bound: no event at or below it may appear later. Lines come in order, so their number is one.
 */
static cape_status latest(void* self, struct cape_call* call, cape_bytes subject, int64_t* safe_upper_bound) {
  struct lines lines;
  cape_status status = open_lines(self, call, subject, &lines);
  if (status != CAPE_OK) return status;
  status = count_lines(&lines, call, safe_upper_bound);
  close_lines(&lines);
  return status;
}

/* Emits lines from *next on until the answer is full, and moves *next behind the last one that is in it. */
static cape_status emit_lines(struct lines* lines, struct cape_call* call, int64_t upto, uint32_t max_events,
                              uint64_t max_bytes, int64_t* next) {
  uint32_t count = 0;
  uint64_t bytes = 0;
  cape_event event;
  memset(&event, 0, sizeof event);
  event.struct_size = sizeof event;
  event.type = text("line");
  while (*next <= upto && count < max_events) {
    cape_status status;
    if (!next_line(lines)) {
      call->set_error(call, 0, 0, text("the file became shorter while it was read"));
      return CAPE_RETRY;
    }
    if (lines->number < *next) continue;
    bytes += lines->bytes;
    if (count > 0 && bytes > max_bytes) break; /* the first one always goes: else nothing would ever move */
    event.sequence = *next;
    event.payload.ptr = (const uint8_t*)lines->line;
    event.payload.len = lines->bytes;
    status = call->emit_event(call, &event);
    if (status == CAPE_LIMIT) break; /* the answer is full, and this event is not in it */
    if (status != CAPE_OK) return status;
    ++*next;
    ++count;
  }
  return CAPE_OK;
}

/* The events from `start` on. The answer proves [start, *next_start - 1]: there is no other event in it. */
static cape_status query(void* self, struct cape_call* call, cape_bytes subject, int64_t start,
                         uint32_t max_events, uint64_t max_bytes, int64_t* next_start, int64_t* latest_seen,
                         uint32_t* more) {
  struct lines lines;
  cape_status status = open_lines(self, call, subject, &lines);
  if (status != CAPE_OK) return status;
  *next_start = start > 0 ? start : 1;
  status = count_lines(&lines, call, latest_seen);
  if (status == CAPE_OK) status = emit_lines(&lines, call, *latest_seen, max_events, max_bytes, next_start);
  *more = status == CAPE_OK && *next_start <= *latest_seen;
  close_lines(&lines);
  return status;
}

/* ---- scan: how Cape finds what no ping told of */

static cape_bytes subject_of(const struct dirent* file) {
  cape_bytes name = text(file->d_name);
  name.len -= SUFFIX_BYTES;
  return name;
}

static int has_suffix(const struct dirent* file) {
  const size_t bytes = strlen(file->d_name);
  return bytes > SUFFIX_BYTES && strcmp(file->d_name + bytes - SUFFIX_BYTES, SUFFIX) == 0;
}

/* By subject, not by file name: "a.txt" is above "a b.txt", yet "a" is below "a b". */
static int by_subject(const struct dirent** a, const struct dirent** b) {
  return compare(subject_of(*a), subject_of(*b));
}

/* Emits those of `files`, which are sorted, that lie above `token`. */
static cape_status emit_subjects(void* self, struct cape_call* call, struct dirent** files, int size,
                                 cape_bytes token, uint32_t max_subjects, uint32_t* more) {
  uint32_t count = 0;
  int i;
  for (i = 0; i < size; ++i) {
    const cape_bytes subject = subject_of(files[i]);
    int64_t bound;
    cape_status status;
    if (compare(subject, token) <= 0) continue;
    *more = count == max_subjects;
    if (*more) return CAPE_OK;
    status = latest(self, call, subject, &bound);
    if (status == CAPE_NOT_FOUND) continue; /* a directory, or gone by now */
    if (status == CAPE_OK) status = call->emit_subject(call, subject, bound);
    *more = status == CAPE_LIMIT;
    if (*more) return CAPE_OK; /* the answer is full, and this subject is not in it */
    if (status != CAPE_OK) return status;
    ++count;
  }
  return CAPE_OK;
}

/* The subjects behind `token`, in rising byte order. */
static cape_status scan(void* self, struct cape_call* call, cape_bytes token, uint32_t max_subjects,
                        uint32_t* more) {
  const struct source* source = self;
  struct dirent** files;
  cape_status status;
  int i;
  const int size = scandir(source->dir, &files, has_suffix, by_subject);
  if (size < 0) return retry(call, "list", source->dir);
  *more = 0;
  status = emit_subjects(self, call, files, size, token, max_subjects, more);
  for (i = 0; i < size; ++i) free(files[i]);
  free(files);
  return status;
}

static const cape_source table = {sizeof(cape_source), 0, create, destroy, latest, query, scan, NULL};

static const void* get_factory(const char* id) {
  return strcmp(id, CAPE_FACTORY_SOURCE) == 0 ? &table : NULL;
}

/* Read without running any code: id, version, kind, wishes. */
CAPE_MANIFEST("line_source", "1.0.0", CAPE_KIND_SOURCE, CAPE_WANTS_READ);
/* The one exported symbol. */
const cape_entry cape_entry_v1 = {sizeof(cape_entry), CAPE_ABI_MAJOR, CAPE_ABI_MINOR, NULL, NULL,
                                  get_factory};
