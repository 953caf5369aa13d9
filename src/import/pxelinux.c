/* PXELINUX: a file of pxelinux.cfg/. Its name says whose it is; of what it says, the entry that would boot
 * counts, and of that the words for the kernel. */
#include "base/file.h"
#include "import/input.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>

enum {
    INCLUDES_MAX = 64, /* files in one file, however they are nested */
    LABELS_MAX = 10000,
};

struct label {
    char *name, *kernel, *append;
    struct pos at;
    bool local;        /* LOCALBOOT: the machine's own disk */
    bool menu_default; /* MENU DEFAULT */
};

struct config {
    struct input *s; /* the one that is read now: the file's, or that of an included one */
    VEC(struct label) labels;
    char *append;           /* before the first label: for those that have none */
    char *standard;         /* DEFAULT: a label, or a kernel and its words */
    char *ontimeout;        /* ONTIMEOUT: the same, behind a menu */
    struct pos standard_at; /* of DEFAULT */
    bool menu, help_text;
    unsigned includes;
};

/* Whose file it is, by its name. */

/* `01-52-54-00-12-34-56`; the first byte is the hardware type. */
static bool is_mac_name(const char *name)
{
    uint8_t bytes[7];
    return strlen(name) == 20 && name[2] == '-' && hex_bytes(name, bytes, sizeof(bytes)) == sizeof(bytes);
}

static bool is_hex_name(const char *name)
{
    size_t n = strlen(name);
    return n >= 1 && n <= 8 && strspn(name, "0123456789ABCDEF") == n;
}

bool is_pxelinux_name(const char *name)
{
    uint8_t uuid[16];
    return is_mac_name(name) || uuid_parse(name, uuid) == 0 || is_hex_name(name) || str_eq(name, "default");
}

/* The addresses that a name of fewer than eight digits is for. */
static const char *hex_prefix(const char *name, char buf[static PREFIX_TEXT_MAX])
{
    struct ipv4_prefix prefix = {.length = (uint8_t)(4 * strlen(name))};
    for (size_t i = 0; i < 8; i++)
        prefix.address = prefix.address << 4 | (i < strlen(name) ? (unsigned)hex_value(name[i]) : 0);
    return prefix_format(&prefix, buf);
}

/* 0, or -ENOENT after saying why there is no machine of that name. */
static int read_name(struct input *s, const char *name, struct import_host *host)
{
    char text[PREFIX_TEXT_MAX];
    const struct pos at = {.file = s->name};
    if (is_mac_name(name)) {
        if (!str_starts(name, "01-"))
            return input_lost(s, &at, "hardware type %.2s is not Ethernet; not taken over", name), -ENOENT;
        host->has_mac = take_mac(s, &at, name + 3, &host->mac) == 0;
        return host->has_mac ? 0 : -ENOENT;
    }
    if (uuid_parse(name, host->uuid) == 0) {
        host->has_uuid = true;
        return 0;
    }
    if (is_hex_name(name) && strlen(name) == 8) {
        for (const char *p = name; *p; p++)
            host->ip = host->ip << 4 | (unsigned)hex_value(*p);
        return host->ip ? 0 : -ENOENT;
    }
    if (is_hex_name(name))
        input_lost(s, &at,
                   "this file is for every machine of %s; not taken over: its words belong into `cmdline` of "
                   "their profile",
                   hex_prefix(name, text));
    else if (str_eq(name, "default"))
        input_lost(s, &at,
                   "this file is for every machine that has no other; not taken over: its words belong into "
                   "`cmdline` of the profile `default`");
    else
        input_lost(s, &at,
                   "no machine asks for a file of this name; not taken over, unless another includes it");
    return -ENOENT;
}

/* Lines. */

/* The rest of a line, without blanks around it; the caller's. */
static char *rest_of(const char *text, size_t size)
{
    while (size && isspace((unsigned char)*text))
        text++, size--;
    while (size && isspace((unsigned char)text[size - 1]))
        size--;
    return xstrndup(text, size);
}

static char *first_word(const char *text)
{
    return xstrndup(text, strcspn(text, " \t"));
}

static void set(char **where, char *value)
{
    free(*where);
    *where = value;
}

static struct label *current(struct config *c)
{
    return c->labels.n ? &c->labels.items[c->labels.n - 1] : NULL;
}

static int read_lines(struct config *c);

/* Reads another file in place of this line. A TFTP client sees `/` as the server's root. */
static int include(struct config *c, const char *value, const struct pos *at)
{
    cleanup_free char *name = first_word(value), *text = NULL;
    size_t size = 0;
    char shown[SHOWN_MAX];
    show_text(name, shown);
    if (c->s->root < 0) {
        input_lost(c->s, at, "the file %s is not read: where the TFTP server's folder is, is not known",
                   shown);
        return 0;
    }
    if (++c->includes > INCLUDES_MAX)
        return input_error(c->s, at, "more than %d files are included; do they include each other?",
                           INCLUDES_MAX);
    cleanup_close int fd = file_open_beneath(c->s->root, name + strspn(name, "/"));
    cleanup_free char *path = xasprintf("/proc/self/fd/%d", fd);
    int r = fd < 0 ? fd : file_read(path, IMPORT_SIZE_MAX, &text, &size);
    if (r == 0)
        r = clean_text(text, size);
    if (r < 0) {
        input_lost(c->s, at, "the file %s is not read: %s", shown, strerror(-r));
        return 0;
    }
    struct input *outer = c->s;
    struct input inner = *outer;
    inner.name = *VEC_ADD(&outer->into->files) =
        xasprintf("%s/%s", outer->root_path, name + strspn(name, "/"));
    inner.text = text;
    inner.size = size;
    c->s = &inner;
    r = read_lines(c);
    c->s = outer;
    outer->said = inner.said;
    return r;
}

static int on_label(struct config *c, const char *value, const struct pos *at)
{
    if (c->labels.n == LABELS_MAX)
        return input_error(c->s, at, "more than %d entries", LABELS_MAX);
    *VEC_ADD(&c->labels) = (struct label){.name = first_word(value), .at = *at};
    return 0;
}

static int on_kernel(struct config *c, const char *value, const struct pos *at)
{
    (void)at;
    if (current(c))
        set(&current(c)->kernel, first_word(value));
    return 0;
}

static int on_append(struct config *c, const char *value, const struct pos *at)
{
    (void)at;
    set(current(c) ? &current(c)->append : &c->append, xstrdup(value));
    return 0;
}

static int on_localboot(struct config *c, const char *value, const struct pos *at)
{
    (void)value;
    (void)at;
    if (current(c))
        current(c)->local = true;
    return 0;
}

static int on_default(struct config *c, const char *value, const struct pos *at)
{
    set(&c->standard, xstrdup(value));
    c->standard_at = *at;
    return 0;
}

static int on_ontimeout(struct config *c, const char *value, const struct pos *at)
{
    (void)at;
    set(&c->ontimeout, xstrdup(value));
    return 0;
}

static int on_ui(struct config *c, const char *value, const struct pos *at)
{
    (void)value;
    (void)at;
    c->menu = true;
    return 0;
}

static int on_menu(struct config *c, const char *value, const struct pos *at)
{
    cleanup_free char *word = first_word(value);
    if (strcasecmp(word, "include") == 0) {
        cleanup_free char *file = rest_of(value + strlen(word), strlen(value) - strlen(word));
        return include(c, file, at);
    }
    if (strcasecmp(word, "default") == 0 && current(c))
        current(c)->menu_default = true;
    return 0;
}

static int on_text(struct config *c, const char *value, const struct pos *at)
{
    (void)at;
    c->help_text = strncasecmp(value, "help", 4) == 0;
    return 0;
}

static const struct {
    const char *word;
    int (*on)(struct config *c, const char *value, const struct pos *at);
} directives[] = {
    {"label", on_label},  {"kernel", on_kernel},       {"linux", on_kernel},        {"boot", on_kernel},
    {"com32", on_kernel}, {"append", on_append},       {"localboot", on_localboot}, {"default", on_default},
    {"ui", on_ui},        {"ontimeout", on_ontimeout}, {"include", include},        {"menu", on_menu},
    {"text", on_text},
};

static int read_line(struct config *c, const struct lines *line)
{
    cleanup_free char *text = rest_of(line->text, line->size), *word = first_word(text);
    size_t n = strlen(word);
    if (c->help_text) {
        c->help_text = strcasecmp(word, "endtext") != 0;
        return 0;
    }
    if (text[0] == '\0' || text[0] == '#')
        return 0;
    size_t indent = 0;
    while (isspace((unsigned char)line->text[indent]))
        indent++;
    struct pos at = {c->s->name, line->number, (unsigned)indent + 1};
    cleanup_free char *value = rest_of(text + n, strlen(text) - n);
    for (size_t i = 0; i < ARRAY_SIZE(directives); i++)
        if (strcasecmp(directives[i].word, word) == 0)
            return directives[i].on(c, value, &at);
    return 0;
}

/* Recursive through include(); INCLUDES_MAX bounds it. */
static int read_lines(struct config *c)
{
    struct lines line = {0};
    int r = 0;
    while (r == 0 && lines_next(c->s, &line))
        r = read_line(c, &line);
    return r;
}

/* The words for the kernel. */

/* What rambox puts on the command line itself, or the profile does. */
static const char *const own_words[] = {
    "initrd=",      "ip=",          "nfsaddrs=", "BOOT_IMAGE=", "BOOTIF=", "rambox.server=",
    "rambox.boot=", "rambox.node=", "rw",        "rambox",      NULL};
static const struct {
    const char *word, *instead;
} profile_words[] = {
    {"root=", "`root:` of the node's profile says it; a profile for these nodes is named with --profile"},
    {"shell",
     "`root: shell` of the node's profile says it; a profile for these nodes is named with --profile"},
};

/* `initrd=` stands for all words that begin so, others for themselves. */
static bool word_is(const char *word, const char *pattern)
{
    return str_ends(pattern, "=") ? str_starts(word, pattern) : str_eq(word, pattern);
}

static bool is_own_word(const char *word)
{
    for (const char *const *own = own_words; *own; own++)
        if (word_is(word, *own))
            return true;
    return false;
}

static void add_word(struct input *s, const char *word, const struct pos *at, struct str *out)
{
    char shown[SHOWN_MAX];
    show_text(word, shown);
    if (is_own_word(word))
        return;
    for (const char *p = word; *p; p++)
        if (iscntrl((unsigned char)*p)) {
            input_lost(s, at, "the word \"%s\" holds control characters; not taken over", shown);
            return;
        }
    for (size_t i = 0; i < ARRAY_SIZE(profile_words); i++)
        if (word_is(word, profile_words[i].word)) {
            input_lost(s, at, "the word %s is not taken over: %s", shown, profile_words[i].instead);
            return;
        }
    str_add(out, out->len ? " " : "");
    str_add(out, word);
}

/* Adds the words to those of the command line. As the kernel does, blanks in double quotes part nothing. */
static void add_words(struct input *s, const char *text, const struct pos *at, struct str *out)
{
    while (*text) {
        size_t n = 0;
        bool quoted = false;
        text += strspn(text, " \t");
        for (; text[n] && (quoted || (text[n] != ' ' && text[n] != '\t')); n++)
            quoted ^= text[n] == '"';
        cleanup_free char *word = xstrndup(text, n);
        if (quoted)
            input_lost(s, at,
                       "a quote (\") of the command line is not closed; its words are not taken over "
                       "from there on");
        else if (n)
            add_word(s, word, at, out);
        text += n;
    }
}

/* What would boot. */
struct choice {
    const struct label *label; /* NULL: none has that name */
    const char *kernel;        /* a word, not ended by a NUL but a blank, when there is no label */
    const char *words;         /* behind the label or the kernel */
    struct pos at;
};

/* DEFAULT and ONTIMEOUT name a label or a kernel, and maybe words behind it. */
static struct choice choose_command(const struct config *c, const char *command)
{
    size_t n = strcspn(command, " \t");
    struct choice choice = {.kernel = command, .words = command + n, .at = c->standard_at};
    VEC_EACH(label, &c->labels)
        if (!choice.label && strlen(label->name) == n && strncmp(label->name, command, n) == 0)
            choice.label = label;
    return choice;
}

/* With a menu the entry that it starts with when nobody touches it, else DEFAULT, else the first. */
static struct choice choose(const struct config *c)
{
    size_t n = c->standard ? strcspn(c->standard, " \t") : 0;
    bool menu = c->menu || (n > 4 && strncasecmp(c->standard + n - 4, ".c32", 4) == 0);
    if (menu && c->ontimeout)
        return choose_command(c, c->ontimeout);
    VEC_EACH(label, &c->labels)
        if (menu && label->menu_default)
            return (struct choice){.label = label, .words = ""};
    if (c->standard && (!menu || c->menu || c->labels.n == 0))
        return choose_command(c, c->standard);
    return (struct choice){.label = c->labels.items, .words = ""};
}

/* Programs that PXELINUX starts, instead of a Linux kernel. */
static bool is_program(const char *kernel)
{
    static const char *const endings[] = {".c32", ".com", ".0",      ".bin", ".bs",
                                          ".img", ".iso", "memdisk", NULL};
    for (const char *const *ending = endings; *ending; ending++)
        if (str_ends(kernel, *ending))
            return true;
    return false;
}

/* Fills the host by what would boot; false, having said why, when that is no kernel. */
static bool take_choice(struct input *s, const struct config *c, const struct choice *choice,
                        struct import_host *host)
{
    const struct label *label = choice->label;
    const char *append = label && label->append ? label->append : c->append;
    cleanup_free char *kernel = label            ? xstrdup(label->kernel)
                                : choice->kernel ? first_word(choice->kernel)
                                                 : NULL;
    cleanup_str struct str words = {0};
    char shown[SHOWN_MAX];
    if (label)
        host->pos = label->at;
    else if (choice->at.file)
        host->pos = choice->at;
    if ((label && label->local) || (kernel && is_program(kernel))) {
        input_lost(
            s, &host->pos,
            "this machine boots %s here, no Linux; not taken over: as a node it would boot its profile",
            label && label->local ? "from its own disk" : show_text(kernel, shown));
        return false;
    }
    if (kernel && kernel[0])
        input_lost(
            s, &host->pos,
            "the kernel %s and its initrd are not taken over: a node boots `kernel` and `image` of its "
            "profile",
            show_text(kernel, shown));
    if (append && !str_eq(append, "-")) /* `-`: no words, not even those for all */
        add_words(s, append, &host->pos, &words);
    add_words(s, choice->words, &host->pos, &words);
    host->cmdline = words.len ? str_steal(&words) : NULL;
    host->has_cmdline = true;
    return true;
}

static void config_clear(struct config *c)
{
    VEC_EACH(label, &c->labels) {
        free(label->name);
        free(label->kernel);
        free(label->append);
    }
    VEC_FREE(&c->labels);
    free(c->append);
    free(c->standard);
    free(c->ontimeout);
}

int read_pxelinux(struct input *s)
{
    const char *slash = strrchr(s->name, '/');
    struct import_host host = {.pos = {.file = s->name}};
    struct config c = {.s = s};
    if (read_name(s, slash ? slash + 1 : s->name, &host) < 0)
        return 0;
    int r = read_lines(&c);
    struct choice choice = choose(&c);
    size_t others = c.labels.n - (choice.label ? 1 : 0);
    if (r == 0 && others)
        input_lost(s, &(struct pos){.file = s->name},
                   "%zu more %s of this file %s not taken over: a node boots its profile without a menu",
                   others, others == 1 ? "entry" : "entries", others == 1 ? "is" : "are");
    if (r == 0 && take_choice(s, &c, &choice, &host)) {
        struct pos pos = host.pos;
        *input_add(s, &pos) = host;
        host = (struct import_host){0};
    }
    host_clear(&host);
    config_clear(&c);
    return r;
}
