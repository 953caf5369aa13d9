/* A file of nodes.d: one node a document. */
#include "base/str.h"
#include "config/documents.h"
#include "proto/dhcp_identity.h"

#include <errno.h>

static int parse_uuid(const struct type *type, const char *text, void *target)
{
    (void)type;
    return uuid_parse(text, target);
}

static int read_uuid(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                     void *object)
{
    static const struct type type_uuid = {.what = "UUID",
                                          .expected =
                                              "36 characters like 123e4567-e89b-12d3-a456-426614174000",
                                          .parse = parse_uuid,
                                          .size = 16};
    struct node *node = object;
    int r = map_value(m, key->text, &type_uuid, value, node->uuid);
    node->has_uuid = r == 0;
    return r;
}

static int parse_guid(const struct type *type, const char *text, void *target)
{
    (void)type;
    return guid_parse(text, target);
}

static int read_guid(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                     void *object)
{
    static const struct type type_guid = {.what = "GUID",
                                          .expected = "eight bytes like 00:02:c9:03:00:12:34:56",
                                          .parse = parse_guid,
                                          .size = sizeof(struct guid)};
    struct node *node = object;
    int r = map_value(m, key->text, &type_guid, value, &node->guid);
    node->has_guid = r == 0;
    return r;
}

struct client_id {
    uint8_t b[CLIENT_ID_MAX];
    size_t size;
};

static int parse_client_id(const struct type *type, const char *text, void *target)
{
    struct client_id *id = target;
    (void)type;
    return client_id_parse(text, id->b, &id->size);
}

static int read_client_id(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                          void *object)
{
    static const struct type type_client_id = {
        .what = "client identifier",
        .expected = "2 to 255 bytes as pairs of hexadecimal digits like ff:00:00:00:01:00:04:1b:9a",
        .parse = parse_client_id,
        .size = sizeof(struct client_id)};
    struct node *node = object;
    struct client_id id;
    int r = map_value(m, key->text, &type_client_id, value, &id);
    if (r < 0)
        return r;
    node->client_id = xmalloc(id.size);
    memcpy(node->client_id, id.b, id.size);
    node->client_id_size = id.size;
    return 0;
}

/* Exactly one of the three; of the others the six bytes that stand for them (proto/dhcp_identity.h). */
static int name_machine(struct mapper *m, const struct yaml_node *root, struct node *node)
{
    unsigned named = has_key(root, "mac") + has_key(root, "guid") + has_key(root, "client_id");
    if (named == 0)
        return map_error(m, &root->pos,
                         "this node has no \"mac\"; expected %s, or \"guid\" or \"client_id\" of a machine "
                         "on a network without MAC addresses",
                         type_mac.expected);
    if (named > 1)
        return map_error(m, &root->pos, "a node has one of \"mac\", \"guid\" and \"client_id\"");
    if (node->has_guid)
        guid_to_mac(&node->guid, &node->mac);
    else if (node->client_id)
        client_id_to_mac(node->client_id, node->client_id_size, &node->mac);
    return 0;
}

int read_node(struct mapper *m, const struct yaml_node *root, struct site *site)
{
    static const struct field fields[] = {
        FIELD("node", type_label, struct node, name, .required = true),
        FIELD("mac", type_mac, struct node, mac),
        {.key = "guid", .read = read_guid},
        {.key = "client_id", .read = read_client_id},
        FIELD("ip", type_ipv4, struct node, ip),
        FIELD("profile", type_label, struct node, profile),
        {.key = "uuid", .read = read_uuid},
        FIELD("cmdline", type_text, struct node, cmdline),
        FIELD_READ("options", read_options, struct node, options),
        {0},
    };
    struct node node = {.profile = xstrdup("default"), .pos = root->pos};
    int r = map_fields(m, root, fields, "this node", &node.pos, &node);
    if ((root->kind == YAML_MAPPING || yaml_is_null(root)) && name_machine(m, root, &node) < 0)
        r = -EINVAL;
    node.has_profile = has_key(root, "profile");
    if (node.name)
        *VEC_ADD(&site->nodes) = node;
    else
        node_clear(&node);
    return r;
}
