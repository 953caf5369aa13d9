/* The checks of what is published, and of the machine it is on. */
#include "base/file.h"
#include "base/str.h"
#include "doctor/checks.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/statvfs.h>
#include <time.h>

/* The first error of a list, with its place. */
static void first_error(const struct diags *diags, struct str *text)
{
    VEC_EACH(diag, &diags->list) {
        if (diag->severity != DIAG_ERROR)
            continue;
        if (diag->file && diag->line)
            str_printf(text, "%s:%u:%u: ", diag->file, diag->line, diag->column);
        str_add(text, diag->text);
        return;
    }
}

static unsigned lines_of(const char *text)
{
    unsigned n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

void check_configuration(struct doctor *d)
{
    const struct doctor_request *r = d->request;
    cleanup_diags struct diags diags = {0};
    cleanup_free char *changes = NULL;
    cleanup_str struct str error = {0};
    if (!r->site) {
        first_error(r->site_errors, &error);
        finding_add(d->findings, NULL, RESULT_PROBLEM, "the configuration has %u error%s, the first: %s",
                    r->site_errors->errors, r->site_errors->errors == 1 ? "" : "s", str_text(&error));
        finding_advise(d->findings, "rambox check; until it is right, what is published stays");
        return;
    }
    int result = publish_preview(r->site, r->state_dir, r->artifacts, &diags, &changes);
    if (result < 0) {
        first_error(&diags, &error);
        finding_add(d->findings, NULL, RESULT_PROBLEM,
                    "the configuration cannot be compared with what is published: %s", str_text(&error));
        finding_advise(d->findings, "rambox generation list");
    } else if (changes[0] && r->generation) {
        finding_add(d->findings, NULL, RESULT_WARNING,
                    "the configuration is valid, and differs from generation %u: %u line%s",
                    r->generation->number, lines_of(changes), lines_of(changes) == 1 ? "" : "s");
        finding_advise(d->findings, "rambox check shows them; rambox build, then rambox publish");
    } else {
        finding_add(d->findings, NULL, RESULT_OK, "the configuration is valid%s",
                    r->generation ? ", and is what is published" : "");
    }
}

/* Every artifact is there, and is what it was when it was published. Returns the number of wrong ones. */
static unsigned check_artifacts(struct doctor *d, uint64_t *ret_bytes)
{
    const struct generation *g = d->request->generation;
    unsigned wrong = 0;
    VEC_EACH(artifact, &g->artifacts) {
        char digest[DIGEST_TEXT_MAX];
        struct digest found;
        cleanup_free char *path =
            xasprintf("%s/artifacts/%s", d->request->state_dir, digest_format(&artifact->digest, digest));
        progress_update(d->request->progress, "read what is published", artifact - g->artifacts.items,
                        g->artifacts.n, artifact->name);
        int r = hash_file(path, &found);
        *ret_bytes += artifact->size;
        if (r == 0 && digest_equal(&found, &artifact->digest))
            continue;
        wrong++;
        finding_add(d->findings, NULL, RESULT_PROBLEM, "%s %s of generation %u is damaged: %s %s",
                    artifact_kind_name(artifact->kind), artifact->name, g->number, path,
                    r < 0 ? strerror(-r) : "does not have the content that its name says");
        finding_advise(d->findings, "rm %s; rambox build; rambox publish; and look at the disk: dmesg", path);
    }
    return wrong;
}

/* What the running server says it serves. */
static void check_served(struct doctor *d)
{
    unsigned current = d->request->generation->number;
    uint64_t served = d->metrics ? metrics_value(d->metrics, "rambox_generation") : 0;
    if (!served || served == current)
        return;
    finding_add(d->findings, NULL, RESULT_PROBLEM,
                "the server serves generation %" PRIu64 ", but %u is the current one", served, current);
    finding_advise(d->findings,
                   "systemctl reload rambox; its log says why it did not follow: journalctl -u rambox");
}

void check_generation(struct doctor *d)
{
    const struct generation *g = d->request->generation;
    cleanup_str struct str error = {0};
    uint64_t bytes = 0;
    char size[SIZE_TEXT_MAX];
    if (!g) {
        first_error(d->request->generation_errors, &error);
        finding_add(d->findings, NULL, RESULT_PROBLEM, "nothing that can be served is published: %s",
                    str_text(&error));
        finding_advise(d->findings,
                       "rambox build, then rambox publish; an older one: rambox generation rollback");
        return;
    }
    check_served(d);
    if (check_artifacts(d, &bytes) == 0)
        finding_add(d->findings, NULL, RESULT_OK,
                    "generation %u is whole: artifacts %zu, %s, read and compared", g->number, g->artifacts.n,
                    format_size(bytes, size));
}

void check_loaders(struct doctor *d)
{
    const char *own = d->site ? d->site->server.loader_dir : NULL;
    cleanup_str struct str missing = {0}, there = {0};
    for (const char *const *name = d->request->loaders; *name; name++) {
        bool found = false;
        cleanup_free char *first = own ? xasprintf("%s/%s", own, *name) : NULL;
        if (first)
            found = file_exists(first);
        for (const char *const *folder = d->request->loader_folders; !found && *folder; folder++) {
            cleanup_free char *path = xasprintf("%s/%s", *folder, *name);
            found = file_exists(path);
        }
        struct str *list = found ? &there : &missing;
        str_printf(list, "%s%s", list->len ? ", " : "", *name);
    }
    if (!missing.len) {
        finding_add(d->findings, NULL, RESULT_OK, "the loaders are there: %s", str_text(&there));
        return;
    }
    finding_add(d->findings, NULL, RESULT_PROBLEM, "loaders are missing: %s", str_text(&missing));
    finding_advise(d->findings,
                   "apt install pxelinux syslinux-common, or say where they are (server: loaders)");
}

void check_clock(struct doctor *d)
{
    const struct generation *g = d->request->generation;
    const struct tm *broken;
    struct tm buffer;
    char text[40] = "?";
    time_t now = time(NULL);
    broken = gmtime_r(&now, &buffer);
    if (broken)
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", broken);
    bool back = g && (int64_t)now < g->created - 60;
    if (!back && now > 1704067200) { /* 2024: before, no rambox was */
        finding_add(d->findings, NULL, RESULT_OK, "the clock says %s", text);
        return;
    }
    finding_add(d->findings, NULL, RESULT_WARNING, "the clock says %s, which is before %s", text,
                back ? "the current generation was made" : "this program was");
    finding_advise(d->findings, "set it (timedatectl set-ntp true): leases and boots are recorded by it");
}

void check_disk(struct doctor *d)
{
    enum { LOW_MB = 256, FULL_MB = 32 };
    struct statvfs fs;
    char free_text[SIZE_TEXT_MAX];
    const char *dir = d->request->state_dir;
    if (statvfs(dir, &fs) < 0) {
        finding_add(d->findings, NULL, RESULT_PROBLEM, "the state folder %s cannot be read: %s", dir,
                    strerror(errno));
        finding_advise(d->findings, "rambox publish makes it; its place is server: state in rambox.yaml");
        return;
    }
    uint64_t left = (uint64_t)fs.f_bavail * fs.f_frsize;
    bool no_inodes = fs.f_files && fs.f_favail < 100, read_only = fs.f_flag & ST_RDONLY;
    enum result result = left < (uint64_t)FULL_MB << 20 || no_inodes || read_only ? RESULT_PROBLEM
                         : left < (uint64_t)LOW_MB << 20                          ? RESULT_WARNING
                                                                                  : RESULT_OK;
    finding_add(d->findings, NULL, result, "%s has %s free%s%s", dir, format_size(left, free_text),
                no_inodes ? ", and no inodes" : "", read_only ? ", and is mounted read-only" : "");
    if (result != RESULT_OK)
        finding_advise(d->findings, "free some: without it no lease is given out and nothing is published");
}
