/* The configuration folder (`/etc/rambox`) to a checked site, and small edits of it.
 *
 *     rambox.yaml        server, DHCP options of everybody, client classes, subnets, profiles
 *     nodes.d/NAME.yaml  one node each (a file may hold several YAML documents)
 *     images/NAME.yaml   image definitions;  kernels/NAME.yaml kernel definitions;  kernels/NAME.config
 * fragments
 *
 * Definitions that come with rambox (share/images, share/kernels) are there too, unless the user has one of
 * that name. Everything is parsed and checked before anything is used: unknown keys (with the nearest right
 * one), values, DHCP options, names that refer to nothing, duplicates, pools outside their subnet,
 * overlapping subnets and pools.
 */
#pragma once

#include "base/diag.h"
#include "model/site.h"

#include <stddef.h>

/* Reads and checks the folder. On success the site is the caller's, indexed. On failure -errno, with every
 * problem found in `diags` (positions relative to `dir`: `nodes.d/n1.yaml:3:8`); warnings may be there on
 * success too. */
int config_load(const char *dir, const char *share_dir, struct diags *diags, struct site **ret_site);

/* One document each, from memory; what the fuzzers and the builders of single definitions call. `name` stands
 * in positions. 0 or -errno with `diags`; *ret_ is only written on success (free with the *_clear of
 * model/site.h). */
int config_parse_image(const char *name, const char *text, size_t size, struct diags *diags,
                       struct image_def *ret_image);
int config_parse_kernel(const char *name, const char *text, size_t size, struct diags *diags,
                        struct kernel_def *ret_kernel);
/* A whole rambox.yaml, added to `site`. */
int config_parse_main(const char *name, const char *text, size_t size, struct diags *diags,
                      struct site *site);
/* A file of nodes.d, added to `site`. */
int config_parse_nodes(const char *name, const char *text, size_t size, struct diags *diags,
                       struct site *site);

/* Writes the commented starter into `dir`, which must be missing or empty (-EEXIST otherwise, with what to
 * do). */
int config_init(const char *dir, const char *share_dir, struct diags *diags);

/* Adds the nodes, each as nodes.d/NAME.yaml, after checking that the whole site stays valid with them. All or
 * nothing: when one cannot be added, nothing is written (-EEXIST: such a file is there; -errno with `diags`).
 * What is wrong with a node is said at its `pos`. */
int config_add_nodes(const char *dir, const char *share_dir, const struct node *nodes, size_t n,
                     struct diags *diags);
/* Checks the same, and writes nothing. */
int config_try_nodes(const char *dir, const char *share_dir, const struct node *nodes, size_t n,
                     struct diags *diags);
/* Removes the files of these nodes (names, ends with NULL). All or nothing: -ENOENT: no such node; -EBUSY:
 * its file holds other nodes too, and which. Works also when other files are wrong. */
int config_remove_nodes(const char *dir, const char *const *names, struct diags *diags);
