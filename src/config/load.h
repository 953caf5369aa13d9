/* A configuration folder while it is read. Internal to src/config. */
#pragma once

#include "config/documents.h"

/* `mapper.marks` points into the struct, so it stays where it was begun. */
struct loading {
    struct site *site;
    struct marks marks;
    struct mapper mapper;
    bool main_unread; /* nothing of rambox.yaml is known, so all that refers to it would seem wrong */
    bool builtin;     /* the definitions that come with rambox are being read; the user's are there already */
};

/* An empty site with the defaults. End it with loading_end, which also frees the site unless it was taken. */
void loading_begin(struct loading *l, struct diags *diags);
/* Reads all files; says what is wrong with each. No check of the whole yet (check_site). 0, -ENOENT when
 * there is no rambox.yaml, or -errno. */
int loading_read(struct loading *l, const char *dir, const char *share_dir);
void loading_end(struct loading *l);
