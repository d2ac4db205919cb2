/* Reaches for files: "read PATH", "stat PATH", "create PATH", "truncate PATH", "link PATH", "rename PATH",
 * "symlink PATH", "own". OK means that it got what it wanted. */
#include "guest.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int reach(const char* verb, const char* path) {
  struct stat status;
  char beside[512];
  snprintf(beside, sizeof beside, "%s.made", path);
  if (strcmp(verb, "read") == 0) return open(path, O_RDONLY | O_CLOEXEC);
  if (strcmp(verb, "stat") == 0) return stat(path, &status);
  if (strcmp(verb, "create") == 0) return open(beside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (strcmp(verb, "truncate") == 0) return open(path, O_RDONLY | O_TRUNC | O_CLOEXEC);
  if (strcmp(verb, "write") == 0) return open(path, O_WRONLY | O_CLOEXEC);
  if (strcmp(verb, "link") == 0) return link(path, beside);
  if (strcmp(verb, "rename") == 0) return rename(path, beside);
  if (strcmp(verb, "symlink") == 0) return symlink(path, "/escape");
  if (strcmp(verb, "mkdir") == 0) return mkdir(beside, 0700);
  errno = EDOM;
  return -1;
}

static cape_status act(struct cape_call* call, const cape_event* event) {
  char words[512], verb[16] = "", path[480] = "";
  if (event->payload.len >= sizeof words) return CAPE_BAD_INPUT;
  memcpy(words, event->payload.ptr, event->payload.len);
  words[event->payload.len] = 0;
  sscanf(words, "%15s %479s", verb, path);
  return reach(verb, path) < 0 ? refused(call) : CAPE_OK;
}

GUEST("paths");
