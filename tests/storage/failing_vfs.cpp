#include "tests/storage/failing_vfs.hpp"

#include <sqlite3.h>

namespace cape::storage::test {
namespace {

// SQLite allocates szOsFile bytes a file: ours first, the real file's behind it.
struct File {
  sqlite3_file base;
  bool is_log;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

File* of(sqlite3_file* file) {
  return reinterpret_cast<File*>(file);
}
sqlite3_file* real(sqlite3_file* file) {
  return of(file)->real();
}

sqlite3_vfs* below = nullptr;
sqlite3_vfs shim;

int do_close(sqlite3_file* f) {
  return real(f)->pMethods->xClose(real(f));
}
int do_read(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
  return real(f)->pMethods->xRead(real(f), to, n, at);
}
int do_write(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  if (of(f)->is_log && FailingVfs::fail_log_writes) return SQLITE_FULL;
  return real(f)->pMethods->xWrite(real(f), from, n, at);
}
int do_truncate(sqlite3_file* f, sqlite3_int64 n) {
  return real(f)->pMethods->xTruncate(real(f), n);
}
int do_sync(sqlite3_file* f, int flags) {
  if (of(f)->is_log) {
    ++FailingVfs::log_syncs;
    if (FailingVfs::fail_log_syncs) return SQLITE_IOERR_FSYNC;
  }
  return real(f)->pMethods->xSync(real(f), flags);
}
int do_size(sqlite3_file* f, sqlite3_int64* n) {
  return real(f)->pMethods->xFileSize(real(f), n);
}
int do_lock(sqlite3_file* f, int how) {
  return real(f)->pMethods->xLock(real(f), how);
}
int do_unlock(sqlite3_file* f, int how) {
  return real(f)->pMethods->xUnlock(real(f), how);
}
int do_reserved(sqlite3_file* f, int* out) {
  return real(f)->pMethods->xCheckReservedLock(real(f), out);
}
int do_control(sqlite3_file* f, int op, void* arg) {
  return real(f)->pMethods->xFileControl(real(f), op, arg);
}
int do_sector(sqlite3_file* f) {
  return real(f)->pMethods->xSectorSize(real(f));
}
int do_device(sqlite3_file* f) {
  return real(f)->pMethods->xDeviceCharacteristics(real(f));
}
int do_shm_map(sqlite3_file* f, int page, int size, int extend, void volatile** out) {
  return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
}
int do_shm_lock(sqlite3_file* f, int at, int n, int flags) {
  return real(f)->pMethods->xShmLock(real(f), at, n, flags);
}
void do_shm_barrier(sqlite3_file* f) {
  real(f)->pMethods->xShmBarrier(real(f));
}
int do_shm_unmap(sqlite3_file* f, int remove) {
  return real(f)->pMethods->xShmUnmap(real(f), remove);
}

const sqlite3_io_methods methods = {
    2,           do_close,       do_read,      do_write,   do_truncate, do_sync,   do_size,
    do_lock,     do_unlock,      do_reserved,  do_control, do_sector,   do_device, do_shm_map,
    do_shm_lock, do_shm_barrier, do_shm_unmap, nullptr,    nullptr};

int do_open(sqlite3_vfs*, const char* name, sqlite3_file* f, int flags, int* out) {
  of(f)->is_log = (flags & SQLITE_OPEN_WAL) != 0;
  of(f)->base.pMethods = nullptr;
  const int code = below->xOpen(below, name, real(f), flags, out);
  if (real(f)->pMethods != nullptr) of(f)->base.pMethods = &methods;
  return code;
}

}  // namespace

std::atomic<int> FailingVfs::log_syncs = 0;
std::atomic<bool> FailingVfs::fail_log_syncs = false;
std::atomic<bool> FailingVfs::fail_log_writes = false;

FailingVfs::FailingVfs() {
  log_syncs = 0;
  fail_log_syncs = fail_log_writes = false;
  below = sqlite3_vfs_find(nullptr);
  shim = *below;
  shim.zName = "cape_failing";
  shim.szOsFile = static_cast<int>(sizeof(File)) + below->szOsFile;
  shim.xOpen = do_open;
  sqlite3_vfs_register(&shim, 1);
}

FailingVfs::~FailingVfs() {
  sqlite3_vfs_unregister(&shim);
  sqlite3_vfs_register(below, 1);
}

}  // namespace cape::storage::test
