/* rambox.yaml as a whole, and its `server:`. Classes, subnets, profiles and options have files of their own.
 */
#include "base/str.h"
#include "config/documents.h"

#include <errno.h>

enum { PXE_PORT = 4011, HTTPS_PORT = 8443 };

static const struct type type_blksize = {.what = "block size",
                                         .expected = "bytes from 512 to 65464",
                                         .parse = parse_number16,
                                         .size = sizeof(uint16_t),
                                         .min = 512,
                                         .max = 65464};
static const struct type type_window = {.what = "window size",
                                        .expected = "blocks from 1 to 64",
                                        .parse = parse_number16,
                                        .size = sizeof(uint16_t),
                                        .min = 1,
                                        .max = 64};
static const struct type type_count = {.what = "count",
                                       .expected = "a number from 1 to 1000000",
                                       .parse = parse_number32,
                                       .size = sizeof(uint32_t),
                                       .min = 1,
                                       .max = 1000000};
static const struct type type_rollover = {.what = "block number",
                                          .expected = "0 or 1",
                                          .parse = parse_number16,
                                          .size = sizeof(uint16_t),
                                          .max = 1};
static const struct type type_workers = {.what = "number of workers",
                                         .expected = "a number from 1 to 64",
                                         .parse = parse_number16,
                                         .size = sizeof(uint16_t),
                                         .min = 1,
                                         .max = 64};
static const struct type type_rate = {.what = "rate",
                                      .expected = "a number per second from 0 (no limit) to 1000000",
                                      .parse = parse_number32,
                                      .size = sizeof(uint32_t),
                                      .max = 1000000};

static int read_tftp(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                     void *object)
{
    static const struct field fields[] = {
        FIELD("port", type_port, struct server_settings, tftp_port),
        FIELD("per_source", type_count, struct server_settings, tftp_per_source),
        FIELD("new_per_second", type_rate, struct server_settings, tftp_cps),
        FIELD("pause", type_seconds, struct server_settings, tftp_pause_s),
        FIELD("max_blksize", type_blksize, struct server_settings, tftp_max_blksize),
        FIELD("max_windowsize", type_window, struct server_settings, tftp_max_window),
        FIELD("rollover", type_rollover, struct server_settings, tftp_rollover),
        FIELD("port_per_transfer", type_bool, struct server_settings, tftp_own_ports),
        FIELD("workers", type_workers, struct server_settings, tftp_workers),
        {0},
    };
    return map_fields(m, value, fields, "tftp", &key->pos, object);
}

/* `tls:` alone turns it on. */
static int read_tls(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                    void *object)
{
    static const struct field fields[] = {
        FIELD("port", type_port, struct server_settings, https_port),
        FIELD("certificate", type_folder, struct server_settings, tls_certificate),
        FIELD("key", type_folder, struct server_settings, tls_key),
        FIELD("boot", type_bool, struct server_settings, tls_boot),
        {0},
    };
    struct server_settings *server = object;
    server->https_port = HTTPS_PORT;
    int r = map_fields(m, value, fields, "tls", &key->pos, object);
    if (!server->tls_certificate != !server->tls_key)
        r = map_error(m, &key->pos,
                      "certificate and key go together: name both, or neither and rambox makes its own");
    return r;
}

static int read_http(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                     void *object)
{
    static const struct field fields[] = {
        FIELD("port", type_port, struct server_settings, http_port),
        FIELD("connections", type_count, struct server_settings, http.connections),
        FIELD("per_source", type_count, struct server_settings, http.per_source),
        FIELD("downloads", type_count, struct server_settings, http.downloads),
        FIELD("downloads_per_source", type_count, struct server_settings, http.downloads_per_source),
        {.key = "tls", .read = read_tls},
        {0},
    };
    struct server_settings *server = object;
    int r = map_fields(m, value, fields, "http", &key->pos, object);
    if (server->http_port == server->https_port)
        r = map_error(m, &key->pos, "HTTP and its TLS cannot share the TCP port %u; give one of them another",
                      server->http_port);
    return r;
}

static int read_server(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                       void *object)
{
    static const struct field fields[] = {
        FIELD("interfaces", type_interface, struct server_settings, interfaces, .list = true),
        FIELD("dhcp_port", type_port, struct server_settings, dhcp_port),
        {.key = "tftp", .read = read_tftp},
        {.key = "http", .read = read_http},
        FIELD("router_advertisement", type_bool, struct server_settings, router_advert),
        FIELD("state", type_folder, struct server_settings, state_dir),
        FIELD("cache", type_folder, struct server_settings, cache_dir),
        FIELD("user", type_user, struct server_settings, user),
        FIELD("loaders", type_folder, struct server_settings, loader_dir),
        FIELD("stub", type_file, struct server_settings, efi_stub),
        {0},
    };
    struct server_settings *server = &((struct site *)object)->server;
    int r = map_fields(m, value, fields, "server", &key->pos, server);
    if (server->dhcp_port == server->tftp_port)
        r = map_error(m, &key->pos, "DHCP and TFTP cannot share the UDP port %u; give one of them another",
                      server->dhcp_port);
    if (server->dhcp_port == PXE_PORT || server->tftp_port == PXE_PORT)
        r = map_error(m, &key->pos, "the UDP port %d is where PXE firmware asks; give %s another", PXE_PORT,
                      server->dhcp_port == PXE_PORT ? "DHCP" : "TFTP");
    return r;
}

/* What the files hold is looked at where they are used (build/sign.h): the server reads neither. */
static int read_secure_boot(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                            void *object)
{
    static const struct field fields[] = {
        FIELD("key", type_file, struct secure_boot, key, .required = true),
        FIELD("certificate", type_file, struct secure_boot, certificate, .required = true),
        {0},
    };
    struct secure_boot *secure_boot = &((struct site *)object)->secure_boot;
    secure_boot->pos = key->pos;
    return map_fields(m, value, fields, "secure_boot", &key->pos, secure_boot);
}

int read_main(struct mapper *m, const struct yaml_node *root, struct site *site)
{
    static const struct field fields[] = {
        {.key = "server", .read = read_server},
        FIELD_READ("options", read_options, struct site, options),
        {.key = "classes", .read = read_classes},
        {.key = "subnets", .read = read_subnets, .required = true, .expected = "at least one subnet"},
        {.key = "secure_boot", .read = read_secure_boot},
        {.key = "profiles", .read = read_profiles, .required = true, .expected = "at least one profile"},
        {0},
    };
    return map_fields(m, root, fields, "rambox.yaml", &root->pos, site);
}
