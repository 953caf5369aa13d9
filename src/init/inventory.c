/* The hardware of the running machine; the contract is in inventory.h. */
#include "init/inventory.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "init/files.h"

#define DEPTH_MAX   32    /* folders below folders; real ones are 20 at most */
#define FOLDERS_MAX 50000 /* a machine with a thousand devices has 10,000 */
#define READ_ALL    3     /* SYSLOG_ACTION_READ_ALL of klogctl(3): the last bytes of the log */

struct walk {
    struct inventory *inventory;
    unsigned folders;
    size_t root;               /* where `path` is below /sys/devices */
    char path[INVENTORY_PATH]; /* of the folder at hand */
};

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

/* Where no device is below: what every device has, and the two large trees, whose devices of interest are
 * read by their names. */
static bool is_passed_over(const char *name, int depth)
{
    static const char *const large[] = {"system", "virtual", NULL};
    static const char *const small[] = {".",          "..",    "power",  "msi_irqs", "queues",
                                        "statistics", "queue", "wakeup", "trace",    "holders",
                                        "slaves",     "mq",    "hwmon",  "iommu",    NULL};

    return is_one_of(name, small) || (depth == 0 && is_one_of(name, large));
}

/* Reads a file of the folder; returns whether there is a text in it. */
static bool read_at(int folder, const char *name, char *text, size_t size)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static void add_device(struct walk *walk, int folder)
{
    char modalias[INVENTORY_MODALIAS + 1], target[256];
    const char *driver = NULL;

    if (!read_at(folder, "modalias", modalias, sizeof(modalias)))
        return;
    ssize_t n = readlinkat(folder, "driver", target, sizeof(target) - 1);
    if (n > 0) {
        target[n] = '\0';
        const char *slash = strrchr(target, '/');
        driver = slash ? slash + 1 : target;
    }
    inventory_add(walk->inventory, modalias, walk->path + walk->root, driver);
}

static void walk_folder(struct walk *walk, int fd, size_t length, int depth);

/* Goes into one folder of `dir`, whose path is `length` bytes long. */
static void enter(struct walk *walk, DIR *dir, const char *name, size_t length, int depth)
{
    size_t size = strlen(name);

    if (depth == DEPTH_MAX || walk->folders == FOLDERS_MAX || length + size + 2 > sizeof(walk->path)) {
        walk->inventory->incomplete = true;
        return;
    }
    int fd = openat(dirfd(dir), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    walk->folders++;
    walk->path[length] = '/';
    memcpy(walk->path + length + 1, name, size + 1);
    walk_folder(walk, fd, length + 1 + size, depth + 1);
    walk->path[length] = '\0';
}

/* Walks the folder `fd`, which it closes. Of virtual functions the card itself is reported, whose driver
 * makes them. */
static void walk_folder(struct walk *walk, int fd, size_t length, int depth)
{
    bool device = false, made = false;
    struct dirent *entry;
    DIR *dir = fdopendir(fd);

    if (!dir) {
        close(fd);
        return;
    }
    while ((entry = readdir(dir))) {
        if (entry->d_type == DT_DIR && !is_passed_over(entry->d_name, depth))
            enter(walk, dir, entry->d_name, length, depth);
        device |= strcmp(entry->d_name, "modalias") == 0;
        made |= strcmp(entry->d_name, "physfn") == 0;
    }
    if (device && !made)
        add_device(walk, dirfd(dir));
    closedir(dir);
}

/* One folder, without what is below. */
static void add_folder(struct walk *walk, const char *name)
{
    struct text path;

    text_start(&path, walk->path + walk->root - 1, sizeof(walk->path) - walk->root + 1);
    text_addf(&path, "/%s", name);
    int fd = open(walk->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    add_device(walk, fd);
    close(fd);
}

static void gather_devices(struct inventory *h, const char *sys)
{
    static struct walk walk;
    struct text path;

    walk = (struct walk){.inventory = h};
    text_start(&path, walk.path, sizeof(walk.path));
    text_addf(&path, "%s/devices", sys);
    walk.root = path.used + 1;
    int fd = open(walk.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        walk_folder(&walk, fd, path.used, 0);
    add_folder(&walk, "system/cpu");
    add_folder(&walk, "virtual/dmi/id");
}

static void gather_names(struct inventory *h, const char *sys)
{
    static const char *const files[INVENTORY_NAMES] = {"sys_vendor", "product_name", "product_version",
                                                       "board_name", "bios_version"};
    char name[256];
    struct text path;

    for (int i = 0; i < INVENTORY_NAMES; i++) {
        text_start(&path, name, sizeof(name));
        text_addf(&path, "%s/class/dmi/id/%s", sys, files[i]);
        (void)files_read(name, h->names[i], sizeof(h->names[i]));
        inventory_clean(h->names[i]);
    }
    text_start(&path, name, sizeof(name));
    text_addf(&path, "%s/firmware/efi", sys);
    h->efi = access(name, F_OK) == 0;
}

void inventory_read_sys(struct inventory *h, const char *sys)
{
    struct utsname names;

    if (uname(&names) == 0)
        (void)text_copy(h->arch, sizeof(h->arch), names.machine, strlen(names.machine));
    gather_names(h, sys);
    gather_devices(h, sys);
}

void inventory_read_log(struct inventory *h, char *scratch, size_t size)
{
    int n = klogctl(READ_ALL, scratch, (int)size - 1);

    scratch[n > 0 ? n : 0] = '\0';
    inventory_add_firmware(h, scratch);
}
