/* The readers of each kind of document. Internal to src/config: config.h is the door. */
#pragma once

#include "config/schema.h"
#include "model/site.h"
#include "proto/dhcp_options.h"

/* Each reads one document's root into what it is given and reports every mistake; what is right is stored
 * even when the rest is wrong, so that the checks of the whole can go on. 0 or -EINVAL. */
int read_main(struct mapper *m, const struct yaml_node *root, struct site *site);
int read_node(struct mapper *m, const struct yaml_node *root, struct site *site);
int read_image(struct mapper *m, const struct yaml_node *root, struct image_def *image);
int read_kernel(struct mapper *m, const struct yaml_node *root, struct kernel_def *kernel);

/* Parts of them, as `read` of a field; into a struct site. */
int read_classes(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value, void *object);
int read_subnets(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value, void *object);
int read_profiles(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value, void *object);
/* Into a struct option_values: `NAME: VALUE` or `CODE: VALUE`, and the options that have a short form. */
int read_options(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value, void *object);
int read_mtu(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value, void *object);
int read_routes(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value, void *object);
int read_dns_search(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                    void *object);
/* Into a struct profile. */
int read_menu(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value, void *object);
/* Adds a default route by `router` to the classless routes, if there are any and none is that. 0 or -EINVAL.
 */
int add_default_route(struct mapper *m, struct option_values *values, ipv4_t router);

extern const struct type type_boot_file; /* char *: what firmware loads */
#define MARK_POOL "pool"                 /* mark of each pool of a subnet */

/* One file that holds one definition; its name is `name:` or else the file's. *ret_ is written, and the
 * caller's, also on failure. */
int parse_image_file(struct mapper *m, const char *file, const char *text, size_t size,
                     struct image_def *ret_image);
int parse_kernel_file(struct mapper *m, const char *file, const char *text, size_t size,
                      struct kernel_def *ret_kernel);
int parse_main_file(struct mapper *m, const char *file, const char *text, size_t size, struct site *site);
int parse_nodes_file(struct mapper *m, const char *file, const char *text, size_t size, struct site *site);

/* The checks that need the whole: references, duplicates, geometry. Kernel fragments are looked for in `dir`
 * and `share_dir`; without the latter (NULL) they are not. Also makes the site's index. 0 or -EINVAL. */
int check_site(struct mapper *m, struct site *site, const char *dir, const char *share_dir);
