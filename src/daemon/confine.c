/* See daemon/confine.h: the order of things, the user, and the capabilities. */
#include "daemon/confine.h"
#include "base/file.h"
#include "base/str.h"
#include "daemon/confine_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BIT(capability) (1ULL << (capability))
#define NEEDED          (BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_NET_RAW))
#define FILE_POWERS     (BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_FOWNER))

struct confine {
    uid_t uid;
    gid_t gid;
    char *user; /* its name, for initgroups and for people; NULL: stays who it is */
    uint64_t keep;
    int ruleset, abi; /* Landlock's; -1: the kernel has none */
    struct str text;
};

void confine_free(struct confine *c)
{
    if (!c)
        return;
    if (c->ruleset >= 0)
        close(c->ruleset);
    free(c->user);
    str_free(&c->text);
    free(c);
}

const char *confine_text(const struct confine *c)
{
    return str_text(&c->text);
}

/* Capabilities. */

static int caps_get(uint64_t *ret_effective, uint64_t *ret_permitted)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0)
        return -errno;
    *ret_effective = data[0].effective | (uint64_t)data[1].effective << 32;
    *ret_permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
    return 0;
}

static int caps_set(uint64_t effective, uint64_t permitted)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {.effective = (uint32_t)effective, .permitted = (uint32_t)permitted},
        {.effective = (uint32_t)(effective >> 32), .permitted = (uint32_t)(permitted >> 32)}};
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

/* What an executed program could have at most, and what it would be given: nothing. Without the power to say
 * so (CAP_SETPCAP) it is left as it is; no program can be executed anyway. */
static void clear_inheritance(void)
{
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        (void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

/* The user. */

/* In a user namespace not every user exists: then becoming it fails with -EINVAL. */
static bool is_mapped(uid_t uid)
{
    uid_t real, effective, saved;
    if (getresuid(&real, &effective, &saved) < 0 || setresuid(-1U, -1U, uid) < 0)
        return false;
    return setresuid(-1U, -1U, saved) == 0;
}

/* 0; -ENOENT: there is no such user, or not here; -EPERM: it takes root. */
static int find_user(struct confine *c, const char *name)
{
    const struct passwd *entry = getpwnam(name);
    if (!entry)
        return -ENOENT;
    if (geteuid() != 0)
        return entry->pw_uid == geteuid() ? 0 : -EPERM;
    if (entry->pw_uid != 0 && !is_mapped(entry->pw_uid))
        return -ENOENT;
    c->uid = entry->pw_uid;
    c->gid = entry->pw_gid;
    free(c->user);
    c->user = xstrdup(entry->pw_name);
    return 0;
}

/* Whether this user, with no power over files, may read this folder; as the kernel sees it, by being that
 * user for a moment. */
static bool can_read(uid_t uid, gid_t gid, const char *user, const char *path)
{
    gid_t groups[256];
    uint64_t effective = 0, permitted = 0;
    int n = getgroups((int)ARRAY_SIZE(groups), groups);
    if (n < 0 || caps_get(&effective, &permitted) < 0)
        return true; /* then opening it will tell */
    bool other = user && uid != geteuid() && initgroups(user, gid) == 0;
    if (other)
        (void)setfsgid(gid), (void)setfsuid(uid);
    (void)caps_set(effective & ~FILE_POWERS, permitted);
    bool yes = syscall(SYS_faccessat2, AT_FDCWD, path, R_OK | X_OK, AT_EACCESS) == 0 || errno == ENOENT;
    if (other)
        (void)setfsuid(geteuid()), (void)setfsgid(getegid()), (void)setgroups((size_t)n, groups);
    (void)caps_set(effective, permitted);
    return yes;
}

/* The first folder that the user could not read; NULL: none. */
static const char *unreadable(const struct confine_spec *spec, const struct confine *c, const char *parent)
{
    for (const char *const *folder = spec->read; *folder; folder++)
        if (!can_read(c->uid, c->gid, c->user, *folder))
            return *folder;
    return can_read(c->uid, c->gid, c->user, parent) ? NULL : parent;
}

static void stay(struct confine *c)
{
    c->uid = geteuid();
    c->gid = getegid();
    free(TAKE_PTR(c->user));
}

/* Who is asked for, must be had. Nobody asked for: CONFINE_USER where that works, else whoever it is now. */
static int choose_user(const struct confine_spec *spec, struct confine *c, const char *parent,
                       struct diags *diags)
{
    const char *name = spec->user ? spec->user : CONFINE_USER;
    int r = find_user(c, name);
    if (spec->user && r == -ENOENT)
        return diag_error(diags, NULL, "server: there is no user \"%s\" to serve as", name);
    if (spec->user && r < 0)
        return diag_error(diags, NULL, "server: only root can serve as another user, \"%s\"", name);
    const char *closed = r == 0 ? unreadable(spec, c, parent) : NULL;
    if (closed && spec->user && c->uid != 0)
        return diag_error(
            diags, NULL,
            "the user \"%s\" to serve as cannot read %s; let it (chmod o+rx, for each folder on "
            "the way too), or set another `server: user:` in rambox.yaml",
            name, closed);
    if (closed && c->uid != 0)
        diag_warning(diags, NULL,
                     "the user \"%s\" cannot read %s, so the server stays root, with all but two of its "
                     "powers dropped",
                     name, closed);
    if (r < 0 || closed)
        stay(c);
    closed = geteuid() == 0 && c->uid == 0 ? unreadable(spec, c, parent) : NULL;
    if (closed) {
        c->keep |= BIT(CAP_DAC_READ_SEARCH);
        diag_warning(diags, NULL,
                     "%s is another user's and closed to others, so the server keeps CAP_DAC_READ_SEARCH",
                     closed);
    }
    return 0;
}

/* Files. */

static int allow_path(const struct confine *c, const char *path, enum landlock_access access,
                      struct diags *diags)
{
    cleanup_close int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT && access == LANDLOCK_READ ? 0
                                                          : diag_errno(diags, -errno, "cannot use %s", path);
    int r = landlock_allow(c->ruleset, c->abi, fd, access);
    return r < 0 ? diag_errno(diags, r, "cannot be confined to %s", path) : 0;
}

static int allow_paths(const struct confine_spec *spec, struct confine *c, struct diags *diags)
{
    /* What libraries read while they run: random bytes. */
    static const char *const always[] = {
        "/dev/urandom",
#if CONFINE_SANITIZED
        "/proc",
        "/usr",
        "/lib",
        "/etc/passwd",
#endif
        NULL
    };
    int r = landlock_new(&c->abi);
    if (r == -EOPNOTSUPP) {
        diag_warning(diags, NULL,
                     "there is no Landlock here (Linux 5.13 has it), so what the server may read and write "
                     "is up to the "
                     "permissions of the files alone");
        return 0;
    }
    if (r < 0)
        return diag_errno(diags, r, "cannot be confined by Landlock");
    c->ruleset = r;
    r = allow_path(c, spec->state_dir, LANDLOCK_WRITE, diags);
    for (const char *const *path = spec->read; *path && r == 0; path++)
        r = allow_path(c, *path, LANDLOCK_READ, diags);
    for (const char *const *path = always; *path && r == 0; path++)
        r = allow_path(c, *path, LANDLOCK_READ, diags);
    return r;
}

int confine_prepare(const struct confine_spec *spec, struct diags *diags, struct confine **ret_confine)
{
    CLEANUP(confine_free) struct confine *c = xcalloc(1, sizeof(*c));
    const char *slash = strrchr(spec->state_dir, '/');
    cleanup_free char *parent = slash && slash != spec->state_dir
                                    ? xstrndup(spec->state_dir, (size_t)(slash - spec->state_dir))
                                    : xstrdup("/");
    c->ruleset = -1;
    c->keep = NEEDED;
    stay(c);
    int r = dir_make(spec->state_dir);
    if (r < 0)
        return diag_errno(diags, r, "cannot make the state folder %s", spec->state_dir);
    r = choose_user(spec, c, parent, diags);
    if (r == 0 && geteuid() == 0)
        r = confine_give_state(spec->state_dir, c->uid, c->gid, diags);
    if (r == 0)
        r = allow_paths(spec, c, diags);
    if (r < 0)
        return r;
    tzset(); /* the log's times: the file is out of reach later */
    *ret_confine = TAKE_PTR(c);
    return 0;
}

/* Entering. */

static bool has_threads(void)
{
    CLEANUP(closedir) DIR *dir = opendir("/proc/self/task");
    unsigned n = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    return n > 1;
}

static int become(const struct confine *c)
{
    uint64_t effective = 0, permitted = 0;
    int r = caps_get(&effective, &permitted);
    if (r < 0)
        return r;
    uint64_t keep = c->keep & permitted;
    clear_inheritance();
    if (c->user && c->uid != geteuid()) {
        if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || initgroups(c->user, c->gid) < 0 ||
            setresgid(c->gid, c->gid, c->gid) < 0 || setresuid(c->uid, c->uid, c->uid) < 0 ||
            prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
            return -errno;
    } else if (permitted & BIT(CAP_SETGID)) {
        (void)setgroups(0, NULL); /* not in a user namespace that has no groups */
    }
    return caps_set(keep, keep);
}

static const char *cap_name(unsigned capability)
{
    return capability == CAP_NET_BIND_SERVICE ? "net_bind_service"
           : capability == CAP_NET_RAW        ? "net_raw"
                                              : "dac_read_search";
}

static void say(struct confine *c, bool filtered)
{
    uint64_t effective = 0, permitted = 0;
    const struct passwd *entry = c->user ? NULL : getpwuid(c->uid);
    const char *separator = "";
    (void)caps_get(&effective, &permitted);
    str_printf(&c->text, "confined: user %s, capabilities ",
               c->user ? c->user
               : entry ? entry->pw_name
                       : "?");
    for (unsigned capability = 0; capability < 64; capability++)
        if (permitted & BIT(capability)) {
            str_printf(&c->text, "%s%s", separator, cap_name(capability));
            separator = " ";
        }
    str_printf(&c->text, "%s", permitted ? "" : "none");
    if (c->ruleset >= 0)
        str_printf(&c->text, ", files by Landlock %d", c->abi);
    str_printf(&c->text, "%s", filtered ? ", system calls by seccomp" : "");
}

int confine_enter(struct confine *c, struct diags *diags)
{
    if (has_threads())
        return diag_errno(diags, -EBUSY, "cannot be confined after threads were started");
    int r = become(c);
    if (r < 0)
        return diag_errno(diags, r, "cannot give up what it does not need");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return diag_errno(diags, -errno, "cannot give up new privileges");
    /* The kernel hides a process that changed its user from debuggers; the leak check is one. */
    if (CONFINE_SANITIZED)
        (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    say(c, true); /* looks into files */
    r = c->ruleset >= 0 ? landlock_enter(c->ruleset) : 0;
    if (r < 0)
        return diag_errno(diags, r, "cannot be confined by Landlock");
    r = syscalls_enter();
    if (r == -EOPNOTSUPP) {
        diag_warning(diags, NULL, "this kernel has no seccomp filters, so the server may use all its calls");
        str_free(&c->text);
        say(c, false);
        return 0;
    }
    return r < 0 ? diag_errno(diags, r, "cannot be confined to its system calls") : 0;
}
