/* Loaded before libc (LD_PRELOAD): sees each call of a process that changes files under one folder.

   `watch` starts it. Call number `when` is refused (`error`), written in part (`SHORT`) or not reached (`KILL`); all
   calls are recorded to a file descriptor where one is given. Calls on other files pass through untouched.
   A record is a struct `head`, two NUL-terminated paths and, for a write, its bytes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NOTHING, KILL, ERROR, SHORT, FULL };

struct head {
    char name[16];
    int64_t inode, offset, length, flags;
    int64_t paths, hit;
};

static char watched[PATH_MAX];
static size_t watched_length;
static int64_t when = -1, seen;
static int action, error_number, records = -1;
static pthread_mutex_t one = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

void watch(const char *folder, int64_t number, int what, int error, int to) {
    pthread_mutex_lock(&one);
    snprintf(watched, sizeof watched, "%s", folder);
    when = number, action = what, error_number = error, records = to, seen = 0;
    watched_length = strlen(watched);
    pthread_mutex_unlock(&one);
}

static int is_inside(const char *path) {
    return watched_length && !strncmp(path, watched, watched_length) &&
           (path[watched_length] == '/' || !path[watched_length]);
}

static void path_of(int fd, char *into) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, into, PATH_MAX - 1);
    into[length < 0 ? 0 : length] = 0;
}

static void absolute(int folder, const char *path, char *into) {
    char base[PATH_MAX] = "";
    if (path[0] != '/') {
        if (folder == AT_FDCWD) {
            if (!getcwd(base, sizeof base)) base[0] = 0;
        } else path_of(folder, base);
    }
    if (snprintf(into, PATH_MAX, "%s%s%s", base, path[0] == '/' ? "" : "/", path) >= PATH_MAX) into[0] = 0;
}

static int64_t inode_of(int fd, const char *path) {
    struct stat found;
    return (fd >= 0 ? fstat(fd, &found) : lstat(path, &found)) ? 0 : (int64_t)found.st_ino;
}

static void record(struct head head, const char *a, const char *b, const struct iovec *data, int pieces) {
    if (records < 0) return;
    struct iovec out[3 + 64] = {{&head, sizeof head}, {(void *)a, strlen(a) + 1}, {(void *)b, strlen(b) + 1}};
    head.paths = out[1].iov_len + out[2].iov_len;
    for (int i = 0; i < pieces && i < 64; i++) out[3 + i] = data[i];
    syscall(SYS_writev, records, out, 3 + pieces);
}

/* Whether the call is to be made: 1 yes, 0 it was refused and errno is set, -1 a write is to be cut short. */
static int is_made(const char *name, int fd, const char *a, const char *b, int64_t offset, int64_t flags,
                   const struct iovec *data, int pieces) {
    struct head head = {.offset = offset, .flags = flags, .inode = inode_of(fd, a)};
    snprintf(head.name, sizeof head.name, "%s", name);
    for (int i = 0; i < pieces; i++) head.length += data[i].iov_len;
    int64_t number = ++seen;
    int allocates = pieces || flags & O_CREAT || !strcmp(name, "mkdir") || !strcmp(name, "link") ||
                    !strcmp(name, "fallocate");
    head.hit = action && (number == when || (action == FULL && number > when && allocates));
    record(head, a, b, data, pieces);
    if (!head.hit) return 1;
    if (action == KILL) {
        syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
        for (;;) pause();
    }
    if (action == SHORT && head.length > 1) return -1;
    if (action == SHORT) return 1;
    errno = error_number;
    return 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define HELD(value) ({ __auto_type held = (value); int kept = errno; pthread_mutex_unlock(&one); errno = kept; held; })
#define ON_PATH(name, folder, path, other_folder, other, flags, call)                             \
    char a_[PATH_MAX], b_[PATH_MAX] = "";                                                         \
    if (!watched_length) return call;                                                             \
    absolute(folder, path, a_);                                                                   \
    if (*other) absolute(other_folder, other, b_);                                                \
    if (!is_inside(a_) && !is_inside(b_)) return call;                                            \
    pthread_mutex_lock(&one);                                                                     \
    return HELD(is_made(name, -1, a_, b_, 0, flags, 0, 0) ? call : -1)
#define ON_FILE(name, fd, offset, flags, call)                                                    \
    char a_[PATH_MAX];                                                                            \
    if (!watched_length) return call;                                                             \
    path_of(fd, a_);                                                                              \
    if (!is_inside(a_)) return call;                                                              \
    pthread_mutex_lock(&one);                                                                     \
    return HELD(is_made(name, fd, a_, "", offset, flags, 0, 0) ? call : -1)

/* A file that is opened: recorded after the call, so that its inode is known. */
static int opened(int folder, const char *path, int flags, mode_t mode) {
    char a[PATH_MAX], none[1] = "";
    static int (*real)(int, const char *, int, ...);
    if (!real) real = REAL(openat);
    int changes = flags & O_CREAT || flags & O_TRUNC;
    if (!watched_length || !changes) return real(folder, path, flags, mode);
    absolute(folder, path, a);
    if (!is_inside(a)) return real(folder, path, flags, mode);
    pthread_mutex_lock(&one);
    if (flags & O_CREAT && !(flags & O_TRUNC) && !faccessat(AT_FDCWD, a, F_OK, 0)) /* exists: nothing changes */
        return HELD(real(folder, path, flags, mode));
    if (!is_made("open", -1, a, none, 0, flags, 0, 0)) return HELD(-1);
    int fd = real(folder, path, flags, mode);
    struct head head = {.name = "opened", .inode = fd < 0 ? 0 : inode_of(fd, a), .flags = flags};
    if (fd >= 0) record(head, a, none, 0, 0);
    return HELD(fd);
}

static mode_t mode_of(int flags, va_list more) { return flags & O_CREAT ? va_arg(more, mode_t) : 0; }
#define OPENS(folder, path) va_list more; va_start(more, flags); mode_t mode = mode_of(flags, more); va_end(more); \
    return opened(folder, path, flags, mode)
int open(const char *path, int flags, ...) { OPENS(AT_FDCWD, path); }
int open64(const char *path, int flags, ...) { OPENS(AT_FDCWD, path); }
int openat(int folder, const char *path, int flags, ...) { OPENS(folder, path); }
int openat64(int folder, const char *path, int flags, ...) { OPENS(folder, path); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_TRUNC | O_WRONLY, mode); }

static ssize_t written(const char *name, int fd, const struct iovec *data, int pieces, off_t offset) {
    char a[PATH_MAX];
    int64_t at = offset;
    struct iovec half = data[0];
    static ssize_t (*real_writev)(int, const struct iovec *, int);
    static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
    static ssize_t (*real_write)(int, const void *, size_t);
    static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
    if (!real_pwrite) {
        real_writev = REAL(writev), real_pwritev = REAL(pwritev);
        real_write = REAL(write), real_pwrite = REAL(pwrite);
    }
#define WRITES(some, count)                                                                       \
    (count > 1 ? (offset < 0 ? real_writev(fd, some, count) : real_pwritev(fd, some, count, offset)) \
     : offset < 0 ? real_write(fd, (some)->iov_base, (some)->iov_len)                             \
                  : real_pwrite(fd, (some)->iov_base, (some)->iov_len, offset))
    if (!watched_length) return WRITES(data, pieces);
    path_of(fd, a);
    if (!is_inside(a)) return WRITES(data, pieces);
    pthread_mutex_lock(&one);
    if (offset < 0) at = fcntl(fd, F_GETFL) & O_APPEND ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
    int made = is_made(name, fd, a, "", at, 0, data, pieces);
    if (!made) return HELD((ssize_t)-1);
    if (made > 0) return HELD(WRITES(data, pieces));
    half.iov_len = (half.iov_len + 1) / 2;
    return HELD(WRITES(&half, 1));
}

ssize_t write(int fd, const void *data, size_t length) {
    struct iovec all = {(void *)data, length};
    return written("write", fd, &all, 1, -1);
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    struct iovec all = {(void *)data, length};
    return written("pwrite", fd, &all, 1, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) { return pwrite(fd, data, length, offset); }
ssize_t writev(int fd, const struct iovec *data, int pieces) { return written("writev", fd, data, pieces, -1); }
ssize_t pwritev(int fd, const struct iovec *data, int pieces, off_t offset) {
    return written("pwritev", fd, data, pieces, offset);
}

int fsync(int fd) { ON_FILE("fsync", fd, 0, 0, REAL(fsync)(fd)); }
int fdatasync(int fd) { ON_FILE("fdatasync", fd, 0, 0, REAL(fdatasync)(fd)); }
int ftruncate(int fd, off_t length) { ON_FILE("ftruncate", fd, length, 0, REAL(ftruncate)(fd, length)); }
int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }
int fallocate(int fd, int mode, off_t offset, off_t length) {
    ON_FILE("fallocate", fd, offset + length, mode, REAL(fallocate)(fd, mode, offset, length));
}
int fallocate64(int fd, int mode, off64_t offset, off64_t length) { return fallocate(fd, mode, offset, length); }
int posix_fallocate(int fd, off_t offset, off_t length) { return fallocate(fd, 0, offset, length) ? errno : 0; }
int posix_fallocate64(int fd, off64_t offset, off64_t length) { return posix_fallocate(fd, offset, length); }
int fchmod(int fd, mode_t mode) { ON_FILE("chmod", fd, 0, mode, REAL(fchmod)(fd, mode)); }
int fchown(int fd, uid_t user, gid_t group) { ON_FILE("chown", fd, 0, 0, REAL(fchown)(fd, user, group)); }
int futimens(int fd, const struct timespec times[2]) { ON_FILE("utime", fd, 0, 0, REAL(futimens)(fd, times)); }

int rename(const char *from, const char *to) {
    ON_PATH("rename", AT_FDCWD, from, AT_FDCWD, to, 0, REAL(rename)(from, to));
}
int renameat(int a, const char *from, int b, const char *to) {
    ON_PATH("rename", a, from, b, to, 0, REAL(renameat)(a, from, b, to));
}
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    ON_PATH("rename", a, from, b, to, flags, REAL(renameat2)(a, from, b, to, flags));
}
int link(const char *from, const char *to) {
    ON_PATH("link", AT_FDCWD, from, AT_FDCWD, to, 0, REAL(link)(from, to));
}
int linkat(int a, const char *from, int b, const char *to, int flags) {
    ON_PATH("link", a, from, b, to, 0, REAL(linkat)(a, from, b, to, flags));
}
int symlink(const char *to, const char *at) {
    ON_PATH("symlink", AT_FDCWD, at, 0, "", 0, REAL(symlink)(to, at));
}
int unlink(const char *path) { ON_PATH("unlink", AT_FDCWD, path, 0, "", 0, REAL(unlink)(path)); }
int unlinkat(int folder, const char *path, int flags) {
    ON_PATH(flags & AT_REMOVEDIR ? "rmdir" : "unlink", folder, path, 0, "", 0, REAL(unlinkat)(folder, path, flags));
}
int mkdir(const char *path, mode_t mode) { ON_PATH("mkdir", AT_FDCWD, path, 0, "", 0, REAL(mkdir)(path, mode)); }
int mkdirat(int folder, const char *path, mode_t mode) {
    ON_PATH("mkdir", folder, path, 0, "", 0, REAL(mkdirat)(folder, path, mode));
}
int rmdir(const char *path) { ON_PATH("rmdir", AT_FDCWD, path, 0, "", 0, REAL(rmdir)(path)); }
int truncate(const char *path, off_t length) {
    ON_PATH("truncate", AT_FDCWD, path, 0, "", 0, REAL(truncate)(path, length));
}
int chmod(const char *path, mode_t mode) { ON_PATH("chmod", AT_FDCWD, path, 0, "", mode, REAL(chmod)(path, mode)); }
int fchmodat(int folder, const char *path, mode_t mode, int flags) {
    ON_PATH("chmod", folder, path, 0, "", mode, REAL(fchmodat)(folder, path, mode, flags));
}
int utimensat(int folder, const char *path, const struct timespec times[2], int flags) {
    ON_PATH("utime", folder, path, 0, "", 0, REAL(utimensat)(folder, path, times, flags));
}
