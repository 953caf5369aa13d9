/* See serve/files.h. */
#include "serve/files.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "proto/dhcp.h"
#include "serve/bootfile.h"
#include "serve/grub.h"
#include "serve/ipxe.h"
#include "serve/pixiecore.h"
#include "serve/pxelinux.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define CONFIG_FOLDER "pxelinux.cfg/"
#define BUCKETS       256

/* Small files that were asked for last stay mapped, so that many nodes that want them one after the other do
 * not have them mapped anew each time, and artifacts, which never change, are opened once in KEPT_US
 * (microseconds): then what mends a damaged disk counts too. Larger ones do not stay: what is deleted must
 * leave the disk. */
enum { KEPT = 32, KEPT_SIZE = 1 << 20, KEPT_US = 1000000 };

/* One mapped or generated file. Mapped ones are in the table of their struct files, so that all readers share
 * the mapping. */
struct file {
    struct served_file public; /* first: a served_file is a struct file */
    atomic_uint references;
    struct files *owner; /* NULL: generated */
    dev_t dev;
    ino_t ino;
    struct timespec changed;
    uint64_t opened_us; /* when its name last stood for it; under the lock */
    struct file *next;  /* in the bucket */
};

struct files {
    struct files_config config;
    int *loader_fds;
    pthread_mutex_t lock; /* of the buckets */
    struct file *buckets[BUCKETS];
    struct file *kept[KEPT]; /* a reference each */
    size_t next_kept;
};

struct files *files_new(const struct files_config *config)
{
    struct files *f = calloc(1, sizeof(*f));
    int *fds = malloc((config->loader_fds_n ? config->loader_fds_n : 1) * sizeof(int));
    if (!f || !fds) {
        free(f);
        free(fds);
        return NULL;
    }
    f->config = *config;
    if (config->loader_fds_n)
        memcpy(fds, config->loader_fds, config->loader_fds_n * sizeof(int));
    f->loader_fds = fds;
    pthread_mutex_init(&f->lock, NULL);
    return f;
}

void files_free(struct files *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < KEPT; i++)
        if (f->kept[i])
            served_file_unref(&f->kept[i]->public);
    pthread_mutex_destroy(&f->lock);
    free(f->loader_fds);
    free(f);
}

/* ---- open files ---- */

static struct file *file_of(struct served_file *file)
{
    return (struct file *)file;
}

struct served_file *served_file_ref(struct served_file *file)
{
    atomic_fetch_add_explicit(&file_of(file)->references, 1, memory_order_relaxed);
    return file;
}

static struct file **bucket(struct files *f, dev_t dev, ino_t ino)
{
    return &f->buckets[(dev * 31 + ino) % BUCKETS];
}

static void destroy(struct file *file)
{
    if (file->owner && file->public.size)
        munmap((void *)(uintptr_t)file->public.data, file->public.size);
    else if (!file->owner)
        free((void *)(uintptr_t)file->public.data);
    if (file->public.fd >= 0)
        close(file->public.fd);
    free(file);
}

void served_file_unref(struct served_file *served)
{
    if (!served)
        return;
    struct file *file = file_of(served);
    struct files *owner = file->owner;
    /* The last reference of a shared file goes under the lock, where a new one could be taken. */
    if (owner)
        pthread_mutex_lock(&owner->lock);
    bool last = atomic_fetch_sub_explicit(&file->references, 1, memory_order_acq_rel) == 1;
    if (last && owner)
        for (struct file **p = bucket(owner, file->dev, file->ino); *p; p = &(*p)->next)
            if (*p == file) {
                *p = file->next;
                break;
            }
    if (owner)
        pthread_mutex_unlock(&owner->lock);
    if (last)
        destroy(file);
}

struct served_file *served_file_of_bytes(enum file_kind kind, void *data, size_t size)
{
    struct file *file = calloc(1, sizeof(*file));
    if (!file)
        return NULL;
    file->public = (struct served_file){.kind = kind, .data = data, .size = size, .fd = -1};
    atomic_init(&file->references, 1);
    return &file->public;
}

static bool is_same(const struct file *file, const struct stat *st)
{
    return file->dev == st->st_dev && file->ino == st->st_ino && file->public.size == (uint64_t)st->st_size &&
           file->changed.tv_sec == st->st_mtim.tv_sec && file->changed.tv_nsec == st->st_mtim.tv_nsec;
}

/* What tells the file's bytes from others that had its name before: the digest that is its name, or its place
 * and time on the disk. */
static void tag(struct served_file *file, const char *name, const struct stat *st)
{
    if (file->kind != FILE_LOADER)
        snprintf(file->tag, sizeof(file->tag), "%s", name);
    else
        snprintf(file->tag, sizeof(file->tag), "%" PRIx64 "-%" PRIx64 "-%" PRIx64 ".%09" PRIx64,
                 (uint64_t)st->st_ino, (uint64_t)st->st_size, (uint64_t)st->st_mtim.tv_sec,
                 (uint64_t)st->st_mtim.tv_nsec);
}

/* Takes the descriptor over, also when it fails. */
static int map(struct files *f, enum file_kind kind, const char *name, int fd, const struct stat *st,
               struct file **ret_file)
{
    struct file *file = calloc(1, sizeof(*file));
    void *data = NULL;
    int r = file ? 0 : -ENOMEM;
    if (r == 0 && st->st_size) {
        data = mmap(NULL, (size_t)st->st_size, PROT_READ, MAP_SHARED, fd, 0);
        r = data == MAP_FAILED ? -errno : 0;
    }
    if (r < 0) {
        close(fd);
        free(file);
        return r;
    }
    file->public = (struct served_file){
        .kind = kind, .data = data, .size = (uint64_t)st->st_size, .fd = fd, .modified = st->st_mtim.tv_sec};
    tag(&file->public, name, st);
    atomic_init(&file->references, 1);
    file->owner = f;
    file->dev = st->st_dev;
    file->ino = st->st_ino;
    file->changed = st->st_mtim;
    *ret_file = file;
    return 0;
}

/* Called with the lock held. Returns what is not kept any more, to be dropped unlocked; NULL: nothing. */
static struct file *keep(struct files *f, struct file *file)
{
    if (file->public.size > KEPT_SIZE)
        return NULL;
    struct file **place = &f->kept[f->next_kept++ % KEPT], *before = *place;
    *place = file;
    served_file_ref(&file->public);
    return before;
}

/* The artifact of that digest, if it is kept: its name says all of its bytes. NULL: it must be opened. */
static struct served_file *find_kept(struct files *f, const struct moment *now, const char *digest)
{
    struct served_file *found = NULL;
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < KEPT && f->kept[i] && !found; i++) {
        struct served_file *kept = &f->kept[i]->public;
        if (kept->kind != FILE_LOADER && now->mono_us - f->kept[i]->opened_us < KEPT_US &&
            str_eq(kept->tag, digest))
            found = served_file_ref(kept);
    }
    pthread_mutex_unlock(&f->lock);
    return found;
}

/* Opens a name beneath a folder and shares the mapping of one who has it open. */
static int open_shared(struct files *f, const struct moment *now, enum file_kind kind, int dirfd,
                       const char *name, struct served_file **ret_file)
{
    cleanup_close int fd = dirfd < 0 ? -ENOENT : file_open_beneath(dirfd, name);
    struct stat st;
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    int r = 0;
    struct file *dropped = NULL;
    pthread_mutex_lock(&f->lock);
    struct file **place = bucket(f, st.st_dev, st.st_ino), *file = *place;
    while (file && !is_same(file, &st))
        file = file->next;
    if (file) {
        served_file_ref(&file->public);
    } else {
        r = map(f, kind, name, TAKE_FD(fd), &st, &file);
        if (file) {
            file->next = *place;
            *place = file;
            dropped = keep(f, file);
        }
    }
    if (file)
        file->opened_us = now->mono_us;
    pthread_mutex_unlock(&f->lock);
    if (dropped)
        served_file_unref(&dropped->public);
    if (r == 0)
        *ret_file = &file->public;
    return r;
}

/* ---- names ---- */

int file_name_normalise(const char *name, char *ret_name, size_t size)
{
    size_t n = strlen(name), used = 0, start = 0; /* start: of the component being copied */
    if (n && (unsigned char)name[n - 1] == 0xff)  /* P3 */
        n--;
    for (size_t i = 0; i <= n; i++) {
        char c = i == n ? '\0' : name[i] == '\\' ? '/' : name[i];
        if (c != '\0' && ((unsigned char)c < ' ' || (unsigned char)c >= 0x7f))
            return -EACCES;
        if (c != '/' && c != '\0') {
            if (used + 1 >= size)
                return -EACCES;
            ret_name[used++] = c;
            continue;
        }
        size_t length = used - start;
        if (length == 2 && memcmp(ret_name + start, "..", 2) == 0)
            return -EACCES;
        if (length == 1 && ret_name[start] == '.')
            used = start;
        if (c == '/' && used > start) {
            if (used + 1 >= size)
                return -EACCES;
            ret_name[used++] = '/';
        }
        start = used;
    }
    ret_name[used] = '\0';
    return used ? 0 : -EACCES;
}

/* ---- what there is ---- */

/* `boot` (0: none) is of who asks. A unified image is loaded without a configuration before it: here the boot
 * learns what it runs. */
static int open_artifact(struct files *f, const struct moment *now, const struct file_request *request,
                         const char *name, uint64_t boot, struct served_file **ret_file,
                         const char **ret_reason)
{
    static const enum file_kind kinds[] = {[ARTIFACT_KERNEL] = FILE_KERNEL,
                                           [ARTIFACT_IMAGE] = FILE_IMAGE,
                                           [ARTIFACT_UNIFIED] = FILE_UNIFIED,
                                           [ARTIFACT_MODULES] = FILE_IMAGE};
    unsigned number;
    enum artifact_kind kind;
    char artifact_name[ARTIFACT_NAME_MAX];
    char digest[DIGEST_TEXT_MAX];
    *ret_reason = "no such file";
    if (artifact_path_parse(name, &number, &kind, artifact_name) < 0)
        return -ENOENT;
    CLEANUP(generation_unref)
    struct generation *g = f->config.generations.get(f->config.generations.user, number);
    const struct generation_artifact *artifact = g ? generation_artifact(g, kind, artifact_name) : NULL;
    if (!artifact) {
        *ret_reason = g ? "the generation has no such artifact" : "this generation is not served any more";
        return -ENOENT;
    }
    digest_format(&artifact->digest, digest);
    *ret_reason = "the artifact cannot be read";
    struct served_file *kept = find_kept(f, now, digest);
    int r = kept ? 0 : open_shared(f, now, kinds[kind], f->config.artifacts_fd, digest, ret_file);
    if (kept)
        *ret_file = kept;
    if (r == 0 && kind == ARTIFACT_UNIFIED && boot)
        boot_table_assign(f->config.boots, now, boot, request->from, g->number);
    return r;
}

static int open_loader(struct files *f, const struct moment *now, const char *name,
                       struct served_file **ret_file, const char **ret_reason)
{
    int r = -ENOENT;
    *ret_reason =
        "not in the loader folders: is its package installed, and does server: loaders: name its folder?";
    const char *names[BOOTFILE_NAMES_MAX];
    size_t names_n = bootfile_names(name, names);
    for (size_t n = 0; n < names_n && r == -ENOENT; n++)
        for (size_t i = 0; i < f->config.loader_fds_n && r == -ENOENT; i++)
            r = open_shared(f, now, FILE_LOADER, f->loader_fds[i], names[n], ret_file);
    return r;
}

/* Who asks, by the boot that its address belongs to. */
static void identify(struct files *f, const struct generation *g, const struct file_request *request,
                     struct boot_client *ret_asker, uint64_t *ret_boot)
{
    struct boot boot;
    *ret_asker = (struct boot_client){.ip = request->from};
    *ret_boot = 0;
    if (boot_table_by_ip(f->config.boots, request->from, &boot, NULL)) {
        ret_asker->mac = boot.mac;
        ret_asker->node = g ? site_node_by_mac(g->site, &boot.mac) : NULL;
        *ret_boot = boot.id;
    } else if (g) {
        ret_asker->node = site_node_by_ip(g->site, request->from);
        if (ret_asker->node)
            ret_asker->mac = ret_asker->node->mac;
    }
}

static int (*const renderers[])(const struct boot_description *d, char **ret_text, size_t *ret_size) = {
    [BOOT_PXELINUX] = pxelinux_render,
    [BOOT_GRUB] = grub_render,
    [BOOT_IPXE] = ipxe_render,
    [BOOT_PIXIECORE] = pixiecore_render,
};

static int render_config(const struct generation *g, const struct boot_client *client,
                         enum boot_format format, struct served_file **ret_file, const char **ret_reason)
{
    struct boot_description description = {0};
    char *text = NULL;
    size_t size;
    int r = boot_describe(g, client, &description);
    *ret_reason = r == -ENODEV   ? "its profile is not for its processor: add it to the profile's `arch`"
                  : r == -ENOENT ? "its profile, kernel, image or modules are not in the generation"
                  : r == -E2BIG  ? "its kernel command line is too long"
                                 : "its kernel command line holds control characters";
    if (r < 0)
        return r;
    r = renderers[format](&description, &text, &size);
    boot_description_clear(&description);
    *ret_reason =
        r == -EINVAL ? "its loader would change its kernel command line, so it gets none" : "no memory left";
    if (r < 0)
        return r;
    *ret_file = served_file_of_bytes(FILE_CONFIG, text, size);
    if (!*ret_file)
        free(text);
    return *ret_file ? 0 : -ENOMEM;
}

static int open_config(struct files *f, const struct moment *now, const struct generation *g,
                       const struct file_request *request, const struct boot_client *asker,
                       enum boot_format format, const char *who, struct served_file **ret_file,
                       const char **ret_reason)
{
    struct boot boot;
    enum boot_stage stage;
    *ret_reason = "nothing is published yet";
    if (!g)
        return -ENOENT;
    struct boot_client client = {
        .fitted = f->config.fitted,
        .now = now,
        .server = request->local,
        .http_port = g->site->server.http_port,
        .http = request->http,
        .arch = ARCH_UNKNOWN,
    };
    *ret_reason = "no node of that name";
    int r = pxelinux_resolve(g, who, asker, &client);
    if (r < 0)
        return r;
    bool booting = boot_table_by_mac(f->config.boots, &client.mac, &boot, &stage);
    if (booting) {
        client.looks = stage >= STAGE_INIT; /* that one is up: somebody asks what it would boot */
        client.boot = boot.id;
        client.profile = boot.profile;
        client.arch = boot.arch;
    }
    if (client.arch == ARCH_UNKNOWN)
        client.arch = arch_of_ipxe(request->arch);
    r = render_config(g, &client, format, ret_file, ret_reason);
    /* Where another server gives the addresses (P7), this is where we learn the one of this boot. */
    if (r == 0 && booting && (mac_equal(&asker->mac, &client.mac) || boot.ip == 0))
        boot_table_assign(f->config.boots, now, client.boot, boot.ip ? 0 : request->from, g->number);
    return r;
}

/* The script that every iPXE gets. By TFTP it must say where HTTP is. */
static int open_ipxe_entry(const struct generation *g, const struct file_request *request,
                           struct served_file **ret_file, const char **ret_reason)
{
    char base[64] = "", ip[IPV4_TEXT_MAX], *text;
    size_t size;
    *ret_reason = "nothing is published yet";
    if (!g)
        return -ENOENT;
    if (!request->http)
        snprintf(base, sizeof(base), "http://%s:%u", ipv4_format(request->local, ip),
                 g->site->server.http_port);
    *ret_reason = "no memory left";
    int r = ipxe_render_entry(base, &text, &size);
    if (r < 0)
        return r;
    *ret_file = served_file_of_bytes(FILE_CONFIG, text, size);
    if (!*ret_file)
        free(text);
    return *ret_file ? 0 : -ENOMEM;
}

/* The MTU that the subnet's definition gives its interfaces (option 26); 0: none. */
static unsigned mtu_of(const struct subnet *subnet)
{
    const struct option_value *mtu = subnet ? option_values_find(&subnet->options, DHCP_INTERFACE_MTU) : NULL;
    struct reader r = reader_of(mtu ? mtu->data : NULL, mtu ? mtu->size : 0);
    uint16_t value = reader_u16(&r);
    return r.failed ? 0 : value;
}

/* Who asks, into the answer. Returns the current generation. */
static struct generation *begin(struct files *f, const struct file_request *request,
                                struct boot_client *ret_asker, struct file_answer *ret_answer)
{
    struct generation *g = f->config.generations.get(f->config.generations.user, 0);
    *ret_answer = (struct file_answer){0};
    identify(f, g, request, ret_asker, &ret_answer->boot);
    ret_answer->mac = ret_asker->mac;
    ret_answer->mtu = g ? mtu_of(site_subnet_of(g->site, request->from)) : 0;
    if (ret_asker->node)
        snprintf(ret_answer->node, sizeof(ret_answer->node), "%s", ret_asker->node->name);
    return g;
}

int files_open_boot(struct files *f, const struct moment *now, const struct file_request *request,
                    enum boot_format format, const char *who, struct file_answer *ret_answer,
                    const char **ret_reason)
{
    struct boot_client asker;
    CLEANUP(generation_unref) struct generation *g = begin(f, request, &asker, ret_answer);
    snprintf(ret_answer->name, sizeof(ret_answer->name), "%s", request->name);
    return open_config(f, now, g, request, &asker, format, who, &ret_answer->file, ret_reason);
}

int files_open(struct files *f, const struct moment *now, const struct file_request *request,
               struct file_answer *ret_answer, const char **ret_reason)
{
    struct file_answer *a = ret_answer;
    struct boot_client asker;
    const char *who;
    CLEANUP(generation_unref) struct generation *g = begin(f, request, &asker, a);
    int r = file_name_normalise(request->name, a->name, sizeof(a->name));
    if (r < 0) {
        /* Shown to people, so without what could hurt a terminal. */
        snprintf(a->name, sizeof(a->name), "%s", request->name);
        for (char *p = a->name; *p; p++)
            if ((unsigned char)*p < ' ' || (unsigned char)*p >= 0x7f)
                *p = '?';
        *ret_reason = "a name that is not allowed";
        return r;
    }
    if (str_starts(a->name, CONFIG_FOLDER))
        return open_config(f, now, g, request, &asker, BOOT_PXELINUX, a->name + strlen(CONFIG_FOLDER),
                           &a->file, ret_reason);
    if (bootfile_is_grub_config(a->name, &who))
        return open_config(f, now, g, request, &asker, BOOT_GRUB, who, &a->file, ret_reason);
    if (str_eq(a->name, IPXE_SCRIPT))
        return open_config(f, now, g, request, &asker, BOOT_IPXE, "default", &a->file, ret_reason);
    if (str_eq(a->name, IPXE_ENTRY))
        return open_ipxe_entry(g, request, &a->file, ret_reason);
    r = open_artifact(f, now, request, a->name, a->boot, &a->file, ret_reason);
    if (r == -ENOENT && (bootfile_is_loader(a->name) || (g && bootfile_is_named(g->site, a->name))))
        return open_loader(f, now, a->name, &a->file, ret_reason);
    return r;
}
