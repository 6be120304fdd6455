/* Loaded into a process with LD_PRELOAD, it writes down what each fsync has made durable under one folder: a file's bytes, or a
   folder's names. Nothing else survives a power cut, so what it wrote is what the next start would find.

   RECORD_FROM is the folder watched, RECORD_TO where the record goes, RECORD_KEEP "all" to keep every step instead of the last
   for each file. DIE_AT kills the process group just before the first fsync of a path that contains it. One lock orders the steps
   of all threads and processes. A file is known by its inode and time of birth. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int describe(int folder, const char *name, char *key, size_t room, mode_t *mode) {
    struct statx found;
    int flags = AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH);
    if (statx(folder, name, flags, STATX_BASIC_STATS | STATX_BTIME, &found) != 0) return -1;
    snprintf(key, room, "%llu-%lld.%09u", (unsigned long long)found.stx_ino, (long long)found.stx_btime.tv_sec,
             found.stx_btime.tv_nsec);
    *mode = found.stx_mode;
    return 0;
}

static int is_watched(int descriptor) {
    const char *root = getenv("RECORD_FROM"), *last = getenv("DIE_AT");
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (last && strstr(path, last)) kill(0, SIGKILL);
    if (!root || !getenv("RECORD_TO")) return 0;
    size_t prefix = strlen(root);
    return strncmp(path, root, prefix) == 0 && (path[prefix] == '/' || path[prefix] == 0);
}

/* The descriptor itself is read, never the file opened anew: closing a file drops all locks that SQLite holds on it. */
static int copy_file(int descriptor, int target) {
    char buffer[1 << 16];
    off_t at = 0;
    int source = descriptor, reopened = -1;
    ssize_t got = pread(source, buffer, 1, 0);
    if (got < 0) { /* it was opened for writing alone, which SQLite never does */
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
        if ((source = reopened = open(link, O_RDONLY | O_CLOEXEC)) < 0) return -1;
    }
    while ((got = pread(source, buffer, sizeof buffer, at)) > 0) {
        if (write(target, buffer, got) != got) got = -1;
        if (got < 0) break;
        at += got;
    }
    if (reopened >= 0) close(reopened);
    return got < 0 ? -1 : 0;
}

static int list_folder(int descriptor, int target) {
    int own = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = own < 0 ? NULL : fdopendir(own);
    if (!folder) return -1;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char key[64];
        mode_t mode;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (describe(descriptor, entry->d_name, key, sizeof key, &mode) != 0) continue; /* gone meanwhile */
        dprintf(target, "%s %s %s\n", S_ISDIR(mode) ? "folder" : "file", key, entry->d_name);
    }
    closedir(folder);
    return 0;
}

static int record(int descriptor) {
    char key[64], path[PATH_MAX], partial[PATH_MAX], counted[32] = "";
    mode_t mode;
    const char *keep = getenv("RECORD_KEEP");
    if (describe(descriptor, "", key, sizeof key, &mode) != 0) return -1;
    snprintf(path, sizeof path, "%s/lock", getenv("RECORD_TO"));
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0) return -1;
    while (flock(lock, LOCK_EX) != 0 && errno == EINTR) {}
    if (pread(lock, counted, sizeof counted - 1, 0) < 0) counted[0] = 0;
    long step = atol(counted) + 1;
    int is_folder = S_ISDIR(mode);
    snprintf(partial, sizeof partial, "%s/partial", getenv("RECORD_TO"));
    snprintf(path, sizeof path, "%s/%08ld.%s.%s", getenv("RECORD_TO"), keep && !strcmp(keep, "all") ? step : 0,
             is_folder ? "folder" : "file", key);
    int target = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int failed = target < 0 || (is_folder ? list_folder(descriptor, target) : copy_file(descriptor, target)) != 0;
    if (target >= 0) close(target);
    if (!failed) failed = rename(partial, path) != 0;
    if (!failed) {
        int length = snprintf(counted, sizeof counted, "%ld\n", step);
        failed = pwrite(lock, counted, length, 0) != length;
    }
    close(lock);
    return failed ? -1 : 0;
}

static int synchronise(int descriptor, const char *name) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    if (!is_watched(descriptor)) return real(descriptor);
    if (record(descriptor) == 0) return 0;
    fprintf(stderr, "recorder: a step could not be written down: %s\n", strerror(errno));
    abort(); /* a record with a hole would accuse the wrong one */
}

int fsync(int descriptor) { return synchronise(descriptor, "fsync"); }
int fdatasync(int descriptor) { return synchronise(descriptor, "fdatasync"); }
