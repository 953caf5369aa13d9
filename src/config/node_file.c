/* A file of nodes.d: one node a document. */
#include "base/str.h"
#include "config/documents.h"

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

int read_node(struct mapper *m, const struct yaml_node *root, struct site *site)
{
    static const struct field fields[] = {
        FIELD("node", type_label, struct node, name, .required = true),
        FIELD("mac", type_mac, struct node, mac, .required = true),
        FIELD("ip", type_ipv4, struct node, ip),
        FIELD("profile", type_label, struct node, profile),
        {.key = "uuid", .read = read_uuid},
        FIELD("cmdline", type_text, struct node, cmdline),
        FIELD_READ("options", read_options, struct node, options),
        {0},
    };
    struct node node = {.profile = xstrdup("default"), .pos = root->pos};
    int r = map_fields(m, root, fields, "this node", &node.pos, &node);
    node.has_profile = has_key(root, "profile");
    if (node.name)
        *VEC_ADD(&site->nodes) = node;
    else
        node_clear(&node);
    return r;
}
