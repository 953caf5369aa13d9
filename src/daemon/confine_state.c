/* See daemon/confine.h: the state folder is given to the server's user.
 *
 * Commands of root write there too, while a server runs and while none does, so it is done at each start. The
 * server's user could have put anything there, so nothing is followed that leads elsewhere: each name is
 * opened beneath its folder, symbolic links are left alone, and so is a file that has another name besides,
 * which could be one that lies elsewhere. (Artifacts have one in the cache; to read and remove them it takes
 * nothing.) Names that are not the server's are left alone too. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "daemon/confine_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { DEPTH_MAX = 16 };

struct owner {
    uid_t uid;
    gid_t gid;
};

static bool is_ours(const char *name)
{
    return str_starts(name, "rambox.db") || str_eq(name, "generations") || str_eq(name, "artifacts") ||
           str_eq(name, "control");
}

static int open_beneath(int folder, const char *name, uint64_t flags)
{
    struct open_how how = {.flags = flags | O_NOFOLLOW | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));
    return fd < 0 ? -errno : fd;
}

static int give_one(int fd, const struct stat *st, const struct owner *to)
{
    if (st->st_uid == to->uid && st->st_gid == to->gid)
        return 0;
    return fchownat(fd, "", to->uid, to->gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static int give_folder(int at, const struct owner *to, bool top, unsigned depth);

static int give_name(int at, const char *name, const struct owner *to, unsigned depth)
{
    struct stat st;
    cleanup_close int fd = open_beneath(at, name, O_PATH);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd; /* gone meanwhile */
    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode)) {
        int r = depth < DEPTH_MAX ? give_folder(fd, to, false, depth + 1) : 0;
        return r < 0 ? r : give_one(fd, &st, to);
    }
    return S_ISREG(st.st_mode) && st.st_nlink == 1 ? give_one(fd, &st, to) : 0;
}

/* `top`: the state folder itself, of which only the names that are ours are given. */
static int give_folder(int at, const struct owner *to, bool top, unsigned depth)
{
    int fd = open_beneath(at, ".", O_RDONLY | O_DIRECTORY);
    CLEANUP(closedir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int result = 0;
    if (!dir) {
        close_cleanup(&fd);
        return fd < 0 ? fd : -errno;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, "..") || (top && !is_ours(entry->d_name)))
            continue;
        int r = give_name(fd, entry->d_name, to, depth);
        result = result < 0 || r == -ELOOP ? result : r; /* a symbolic link: `current` */
    }
    return result;
}

/* That it is a state folder, or becomes one: somebody may have named /srv. */
static bool has_others_only(const char *state_dir)
{
    char **names = NULL;
    bool ours = false, any = false;
    if (dir_names(state_dir, NULL, &names) < 0)
        return false;
    for (char **name = names; *name; name++) {
        any = true;
        ours |= is_ours(*name);
    }
    names_free(names);
    return any && !ours;
}

int confine_give_state(const char *state_dir, uid_t uid, gid_t gid, struct diags *diags)
{
    const struct owner to = {uid, gid};
    struct stat st;
    cleanup_close int fd = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return diag_errno(diags, -errno, "cannot use the state folder %s", state_dir);
    if (st.st_uid != uid && has_others_only(state_dir))
        return diag_error(
            diags, NULL,
            "the state folder %s holds what is not rambox's, so it is not given to the server's "
            "user; name a folder of its own (server: state in rambox.yaml), or chown it",
            state_dir);
    int r = give_one(fd, &st, &to);
    if (r == 0)
        r = give_folder(fd, &to, true, 0);
    return r < 0 ? diag_errno(diags, r, "cannot give the state folder %s to the server's user", state_dir)
                 : 0;
}
