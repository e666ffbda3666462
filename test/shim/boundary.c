/*
 * Ends a program, or refuses it, at its n-th write to a folder: `LD_PRELOAD=boundary.so BOUNDARY_DIR=/folder/ BOUNDARY_AT=7 node ...`
 *
 * A boundary is a call that changes what is beneath the folder, or makes a change durable. They are counted over all
 * threads, in the order in which they are made.
 *
 *   BOUNDARY_DIR     the folder, with a slash at its end; a sync of the folder itself counts too
 *   BOUNDARY_BUT     a path in it that is not counted, with all beneath: where somebody else writes
 *   BOUNDARY_AT      which one; none is touched without it
 *   BOUNDARY_WHEN    before (default) | after: the process is killed there, by SIGKILL
 *   BOUNDARY_TORN    a write is made in part, this many per cent of it, and then the process is killed
 *   BOUNDARY_ERRNO   the call fails with this number instead
 *   BOUNDARY_STICKY  1: and so does every later one
 *   BOUNDARY_ONLY    sync: only fsync and fdatasync are counted; write: only what takes room
 *   BOUNDARY_LOG     a file to which each boundary is written, as `n call path`
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS 65536
static char *names[FDS];
static const char *folder, *but;
static long at, torn = -1;
static int after, number, sticky, log_to = -1;
static const char *only = "";
static atomic_long counted;

static long setting(const char *name, long otherwise) {
  const char *text = getenv(name);
  return text && *text ? atol(text) : otherwise;
}

__attribute__((constructor)) static void begin(void) {
  folder = getenv("BOUNDARY_DIR");
  but = getenv("BOUNDARY_BUT");
  at = setting("BOUNDARY_AT", 0);
  torn = setting("BOUNDARY_TORN", -1);
  number = (int)setting("BOUNDARY_ERRNO", 0);
  sticky = (int)setting("BOUNDARY_STICKY", 0);
  if (getenv("BOUNDARY_ONLY")) only = getenv("BOUNDARY_ONLY");
  after = getenv("BOUNDARY_WHEN") && strcmp(getenv("BOUNDARY_WHEN"), "after") == 0;
  if (getenv("BOUNDARY_LOG")) {
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    log_to = real(getenv("BOUNDARY_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  }
  unsetenv("LD_PRELOAD"); /* Children are not meant. */
}

static int beneath(const char *path, const char *of, size_t length) {
  return strncmp(path, of, length) == 0 && (path[length] == 0 || path[length] == '/');
}
static int inside(const char *path) {
  if (!folder || !path || !beneath(path, folder, strlen(folder) - 1)) return 0;
  return !but || !beneath(path, but, strlen(but));
}
/* As it is called in the log: from the folder on. */
static const char *shown(const char *path) {
  return path[strlen(folder) - 1] == 0 ? "." : path + strlen(folder);
}
static const char *named(int fd) {
  return fd >= 0 && fd < FDS ? names[fd] : NULL;
}
static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/* 0: go on. 1: this is the one, and the caller goes on and dies then. 2: it fails, errno is set. */
static int boundary(const char *call, const char *path, int syncs, int grows) {
  if (strcmp(only, "sync") == 0 && !syncs) return 0;
  if (strcmp(only, "write") == 0 && !grows) return 0;
  long n = atomic_fetch_add(&counted, 1) + 1;
  if (log_to >= 0) dprintf(log_to, "%ld %s %s\n", n, call, shown(path));
  if (at == 0 || n < at || (n > at && !(number && sticky))) return 0;
  if (number) {
    errno = number;
    return 2;
  }
  if (after || (torn >= 0 && strcmp(call, "write") == 0)) return 1;
  die();
  return 0;
}

#define REAL(type, name, ...)                                   \
  static type (*real)(__VA_ARGS__);                             \
  if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)
#define GUARD(call, path, syncs, grows, work)                   \
  do {                                                          \
    int verdict = boundary(call, path, syncs, grows);           \
    if (verdict == 2) return -1;                                \
    work;                                                       \
    if (verdict == 1) die();                                    \
  } while (0)

static int opened(int fd, const char *path) {
  if (fd >= 0 && fd < FDS) {
    free(names[fd]);
    names[fd] = inside(path) ? strdup(path) : NULL;
  }
  return fd;
}

#define OPEN(name)                                                                                   \
  int name(const char *path, int flags, ...) {                                                       \
    REAL(int, #name, const char *, int, ...);                                                        \
    mode_t mode = 0;                                                                                 \
    if (flags & (O_CREAT | O_TMPFILE)) {                                                             \
      va_list rest;                                                                                  \
      va_start(rest, flags);                                                                         \
      mode = va_arg(rest, mode_t);                                                                   \
      va_end(rest);                                                                                  \
    }                                                                                                \
    int fd;                                                                                          \
    if (inside(path) && (flags & O_CREAT)) GUARD("create", path, 0, 1, fd = real(path, flags, mode)); \
    else fd = real(path, flags, mode);                                                               \
    return opened(fd, path);                                                                         \
  }
OPEN(open)
OPEN(open64)

/* Relative to a folder that is open is how nobody here opens: a path from the root says where it is. */
#define OPENAT(name, plain)                                        \
  int name(int at, const char *path, int flags, ...) {             \
    REAL(int, #name, int, const char *, int, ...);                 \
    mode_t mode = 0;                                               \
    if (flags & (O_CREAT | O_TMPFILE)) {                           \
      va_list rest;                                                \
      va_start(rest, flags);                                       \
      mode = va_arg(rest, mode_t);                                 \
      va_end(rest);                                                \
    }                                                              \
    return inside(path) ? plain(path, flags, mode) : real(at, path, flags, mode); \
  }
OPENAT(openat, open)
OPENAT(openat64, open64)

#define WRITE(name, parameters, arguments, shorter)                                       \
  ssize_t name parameters {                                                               \
    static ssize_t(*real) parameters;                                                     \
    if (!real) real = (ssize_t(*) parameters)dlsym(RTLD_NEXT, #name);                     \
    const char *path = named(fd);                                                         \
    if (!path) return real arguments;                                                     \
    int verdict = boundary("write", path, 0, 1);                                          \
    if (verdict == 2) return -1;                                                          \
    if (verdict == 1 && torn >= 0) {                                                      \
      shorter;                                                                            \
      die();                                                                              \
    }                                                                                     \
    ssize_t wrote = real arguments;                                                       \
    if (verdict == 1) die();                                                              \
    return wrote;                                                                         \
  }
WRITE(write, (int fd, const void *bytes, size_t length), (fd, bytes, length), real(fd, bytes, length *torn / 100))
WRITE(pwrite, (int fd, const void *bytes, size_t length, off_t from), (fd, bytes, length, from), real(fd, bytes, length *torn / 100, from))
WRITE(pwrite64, (int fd, const void *bytes, size_t length, off64_t from), (fd, bytes, length, from), real(fd, bytes, length *torn / 100, from))
WRITE(writev, (int fd, const struct iovec *parts, int count), (fd, parts, count), real(fd, parts, count / 2))
WRITE(pwritev, (int fd, const struct iovec *parts, int count, off_t from), (fd, parts, count, from), real(fd, parts, count / 2, from))

#define SYNC(name)                                                 \
  int name(int fd) {                                               \
    REAL(int, #name, int);                                         \
    const char *path = named(fd);                                  \
    if (!path) return real(fd);                                    \
    int result;                                                    \
    GUARD(#name, path, 1, 0, result = real(fd));                   \
    return result;                                                 \
  }
SYNC(fsync)
SYNC(fdatasync)

int close(int fd) {
  REAL(int, "close", int);
  if (fd >= 0 && fd < FDS && names[fd]) {
    free(names[fd]);
    names[fd] = NULL;
  }
  return real(fd);
}

#define TRUNCATE(name, type)                                       \
  int name(int fd, type length) {                                  \
    REAL(int, #name, int, type);                                   \
    const char *path = named(fd);                                  \
    if (!path) return real(fd, length);                            \
    int result;                                                    \
    GUARD("truncate", path, 0, 0, result = real(fd, length));      \
    return result;                                                 \
  }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define TWO(name)                                                  \
  int name(const char *from, const char *to) {                     \
    REAL(int, #name, const char *, const char *);                  \
    if (!inside(to)) return real(from, to);                        \
    int result;                                                    \
    GUARD(#name, to, 0, 1, result = real(from, to));               \
    return result;                                                 \
  }
TWO(rename)
TWO(link)

#define ONE(name)                                                  \
  int name(const char *path) {                                     \
    REAL(int, #name, const char *);                                \
    if (!inside(path)) return real(path);                          \
    int result;                                                    \
    GUARD(#name, path, 0, 0, result = real(path));                 \
    return result;                                                 \
  }
ONE(unlink)
ONE(rmdir)

int mkdir(const char *path, mode_t mode) {
  REAL(int, "mkdir", const char *, mode_t);
  if (!inside(path)) return real(path, mode);
  int result;
  GUARD("mkdir", path, 0, 1, result = real(path, mode));
  return result;
}
