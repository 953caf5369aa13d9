/* Modules into the kernel; the contract is in modules.h. */
#include "init/modules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "init/files.h"
#include "init/moduleindex.h"
#include "init/process.h"
#include "init/say.h"
#include "init/text.h"

#define BUSES      "/sys/bus"
#define PROCESSORS "/sys/devices/system/cpu/modalias"
#define INDEX_MAX  (16 << 20) /* bytes */
#define DEPTH_MAX  32         /* modules that wait for one another */
#define PASSES_MAX 32         /* over the devices */
#define EVENTS     (1 << 20)  /* bytes of kernel messages that wait */

/* The kernel's interface, whose headers musl does not bring (linux/netlink.h). */
#define KERNEL_EVENTS 15 /* NETLINK_KOBJECT_UEVENT */

struct netlink_address {
    sa_family_t family;
    uint16_t pad;
    uint32_t pid; /* 0: the kernel */
    uint32_t groups;
};

struct loader {
    struct module_index index;
    char *text;
    int folder; /* /lib/modules/RELEASE */
    unsigned loaded, failed;
    unsigned fresh; /* loaded in this pass */
};

/* ---- one module ---- */

static int insert(const struct loader *l, const char *path)
{
    int fd = openat(l->folder, path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    int r = syscall(SYS_finit_module, fd, "", 0) < 0 ? -errno : 0;
    close(fd);
    return r == -EEXIST ? 0 : r;
}

/* A driver may find that the device is none of its own (ENODEV): nothing is wrong then. */
static void say_failed(const char *path, int r)
{
    const char *hint = r == -EKEYREJECTED || r == -EPERM ? ": the kernel takes only modules signed for it"
                       : r == -ENOEXEC || r == -ENOENT   ? ": it is of another kernel, or damaged; see dmesg"
                                                         : "; see dmesg";
    if (r != -ENODEV)
        say("cannot load %s: %s%s", path, strerror(-r), hint);
}

static bool load(struct loader *l, unsigned number, int depth);

/* The steps of one or two kinds. Returns whether all that it needs is there. */
static bool load_steps(struct loader *l, const struct module_entry *module, bool after, int depth)
{
    const char *at = NULL;
    enum module_step step;
    unsigned number;
    bool complete = true;

    while (module_index_step(module, &at, &step, &number)) {
        if ((step == MODULE_AFTER) != after)
            continue;
        bool there = load(l, number, depth + 1);
        if (step == MODULE_NEEDS)
            complete &= there;
    }
    return complete;
}

/* Loads it with what it needs, once. Returns whether it is in the kernel. */
static bool load(struct loader *l, unsigned number, int depth)
{
    struct module_entry *module = &l->index.modules[number];
    char path[256];

    if (module->state != MODULE_NEW || depth > DEPTH_MAX)
        return module->state == MODULE_LOADED;
    module->state = MODULE_BUSY;
    bool complete = load_steps(l, module, false, depth);
    (void)text_copy(path, sizeof(path), module->path, module->length);
    int r = complete ? insert(l, path) : -ENODEV;
    if (r < 0) {
        say_failed(path, r);
        module->state = MODULE_FAILED;
        l->failed += r != -ENODEV;
        return false;
    }
    module->state = MODULE_LOADED;
    l->loaded++;
    l->fresh++;
    (void)load_steps(l, module, true, depth);
    return true;
}

/* ---- what devices ask for ---- */

static void load_found(void *user, unsigned module)
{
    (void)load(user, module, 0);
}

static void load_for(struct loader *l, const char *file)
{
    char modalias[4096];

    if (files_read(file, modalias, sizeof(modalias)) <= 0)
        return;
    modalias[strcspn(modalias, "\n")] = '\0';
    module_index_match(&l->index, modalias, load_found, l);
}

/* Calls `each` with the path of everything in a folder. */
static void walk(struct loader *l, const char *folder, void (*each)(struct loader *l, const char *path))
{
    char line[512];
    struct text path;
    struct dirent *entry;
    DIR *dir = opendir(folder);

    while (dir && (entry = readdir(dir))) {
        text_start(&path, line, sizeof(line));
        text_addf(&path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.' && !path.cut)
            each(l, line);
    }
    if (dir)
        closedir(dir);
}

static void scan_device(struct loader *l, const char *device)
{
    char line[512];
    struct text path;

    text_start(&path, line, sizeof(line));
    text_addf(&path, "%s/modalias", device);
    if (!path.cut)
        load_for(l, line);
}

static void scan_bus(struct loader *l, const char *bus)
{
    char line[512];
    struct text path;

    text_start(&path, line, sizeof(line));
    text_addf(&path, "%s/devices", bus);
    if (!path.cut)
        walk(l, line, scan_device);
}

/* A driver's devices appear while it is loaded, and may ask for more. */
static void scan(struct loader *l)
{
    for (unsigned pass = 0; pass < PASSES_MAX; pass++) {
        l->fresh = 0;
        load_for(l, PROCESSORS);
        walk(l, BUSES, scan_bus);
        if (l->fresh == 0)
            return;
    }
}

static void load_at_once(struct loader *l)
{
    const char *at = NULL;
    unsigned number;

    while (module_index_at_once(&l->index, &at, &number))
        (void)load(l, number, 0);
}

/* ---- what comes later ---- */

/* The kernel's messages about devices. Returns a descriptor or -errno. */
static int open_events(void)
{
    struct netlink_address address = {.family = AF_NETLINK, .groups = 1};
    int size = EVENTS;
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, KERNEL_EVENTS);

    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

/* Messages that were lost are made up for by another look at all devices. */
static _Noreturn void listen_for_events(struct loader *l, int events)
{
    static char message[16384];

    for (;;) {
        struct netlink_address from = {0};
        socklen_t size = sizeof(from);
        ssize_t n = recvfrom(events, message, sizeof(message) - 1, 0, (struct sockaddr *)&from, &size);
        if (n < 0 && errno == ENOBUFS)
            scan(l);
        else if (n < 0 && errno != EINTR)
            _exit(1);
        if (n <= 0 || from.pid != 0) /* not the kernel's */
            continue;
        message[n] = '\0';
        const char *alias = module_event_alias(message, (size_t)n);
        if (alias)
            module_index_match(&l->index, alias, load_found, l);
    }
}

static pid_t start_listener(struct loader *l, int events)
{
    pid_t child = fork();

    if (child == 0) {
        process_restore_signals();
        listen_for_events(l, events);
    }
    return child > 0 ? child : 0;
}

/* ---- */

/* Reads a file whole, with a NUL behind it. Returns its size with the NUL, or -errno. */
static long read_whole(int folder, const char *name, char **ret)
{
    struct stat st;
    long used = 0;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    int r = fstat(fd, &st) < 0 ? -errno : st.st_size > INDEX_MAX ? -EFBIG : 0;
    char *text = r == 0 ? malloc((size_t)st.st_size + 1) : NULL;
    if (r == 0 && !text)
        r = -ENOMEM;
    while (r == 0 && used < st.st_size) {
        ssize_t n = read(fd, text + used, (size_t)(st.st_size - used));
        if (n <= 0)
            break;
        used += n;
    }
    close(fd);
    if (r < 0)
        return r;
    text[used] = '\0';
    *ret = text;
    return used + 1;
}

/* Returns 0, -ENOENT when there are no modules for this kernel, or another -errno. */
static int open_index(struct loader *l)
{
    char line[160];
    struct text path;
    struct utsname names;

    if (uname(&names) < 0)
        return -errno;
    text_start(&path, line, sizeof(line));
    text_addf(&path, "/lib/modules/%s", names.release);
    l->folder = open(line, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (l->folder < 0) {
        int r = -errno;
        if (r == -ENOENT && access("/lib/modules", F_OK) == 0)
            say("there are no modules for this kernel, %s, in /lib/modules: kernel and modules must be "
                "of one generation",
                names.release);
        return r;
    }
    long size = read_whole(l->folder, "rambox.index", &l->text);
    int r = size < 0 ? (int)size : module_index_parse(l->text, (size_t)size, &l->index);
    if (r < 0 && r != -ENOENT)
        say("cannot read %s/rambox.index: %s; no modules are loaded", line, strerror(-r));
    return r;
}

void modules_start(struct modules *modules, struct timeline *timeline)
{
    static struct loader loader = {.folder = -1};
    char line[96];
    struct text detail;

    *modules = (struct modules){0};
    if (open_index(&loader) == 0) {
        int events = open_events();
        if (access(BUSES, F_OK) < 0)
            say("no " BUSES ", so nothing says which modules the devices need: put sysfs into /etc/fstab");
        load_at_once(&loader);
        scan(&loader);
        if (events >= 0) {
            modules->listener = start_listener(&loader, events);
            close(events);
        }
        text_start(&detail, line, sizeof(line));
        text_addf(&detail, "%u of %u loaded", loader.loaded, loader.index.module_count);
        if (loader.failed)
            text_addf(&detail, ", %u failed", loader.failed);
        (void)timeline_mark(timeline, "modules", line);
        module_index_free(&loader.index);
    }
    free(loader.text);
    loader.text = NULL;
    if (loader.folder >= 0)
        close(loader.folder);
    loader.folder = -1;
}

void modules_stop(struct modules *modules)
{
    int status;

    if (modules->listener > 0) {
        kill(modules->listener, SIGKILL);
        (void)process_wait(modules->listener, 1000, false, &status);
    }
    modules->listener = 0;
}
