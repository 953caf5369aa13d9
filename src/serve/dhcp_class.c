/* Which client classes a message is of (model/class.h), and what all definitions together set for its client.
 *
 * What is more particular wins: the node, its profile, the classes in the order in which they are defined,
 * the subnet, the whole site.
 */
#include "serve/dhcp_internal.h"

#include <string.h>

static bool any_matches(const struct client_class *class, enum class_field field, struct reader value)
{
    if (value.failed)
        return false;
    VEC_EACH(glob, &class->match[field])
        if (glob_match(glob, value.p, value.left))
            return true;
    return false;
}

static bool is_user_class(struct reader value, void *class)
{
    return any_matches(class, CLASS_USER_CLASS, value);
}

static bool has_arch(const struct client_class *class, const struct pxe_client *pxe)
{
    VEC_EACH(arch, &class->archs)
        for (unsigned i = 0; i < pxe->archs_n; i++)
            if (pxe->archs[i] == *arch)
                return true;
    return false;
}

static bool field_matches(const struct exchange *x, const struct client_class *class, enum class_field field)
{
    const struct dhcp_packet *p = x->packet;
    char mac[MAC_TEXT_MAX];
    switch (field) {
    case CLASS_VENDOR_CLASS:
        return any_matches(class, field, dhcp_option(p, DHCP_VENDOR_CLASS));
    case CLASS_USER_CLASS:
        return dhcp_user_class(p, is_user_class, (void *)(uintptr_t) class);
    case CLASS_HOST_NAME:
        return any_matches(class, field, dhcp_option(p, DHCP_HOST_NAME));
    case CLASS_CIRCUIT_ID:
        return any_matches(class, field, dhcp_relay_option(p, DHCP_RELAY_CIRCUIT_ID));
    case CLASS_REMOTE_ID:
        return any_matches(class, field, dhcp_relay_option(p, DHCP_RELAY_REMOTE_ID));
    case CLASS_MAC:
        mac_format(&x->outcome->mac, mac);
        return any_matches(class, field, reader_of(mac, strlen(mac)));
    case CLASS_FIELDS:
        break;
    }
    return false;
}

static bool is_of(const struct exchange *x, const struct client_class *class)
{
    if (class->archs.n && !has_arch(class, &x->pxe))
        return false;
    for (enum class_field field = 0; field < CLASS_FIELDS; field++)
        if (class->match[field].n && !field_matches(x, class, field))
            return false;
    return true;
}

static bool is_in(const struct exchange *x, size_t class)
{
    return class < CLASSES_MAX && x->classes >> class & 1;
}

/* What it boots: by its entry if that says so, by a class, by its entry's default, by its subnet's answer to
 * unknown machines. */
static const char *profile_name(const struct exchange *x)
{
    const struct site *site = x->generation->site;
    if (x->node && x->node->has_profile)
        return x->node->profile;
    for (size_t i = 0; i < site->classes.n; i++)
        if (is_in(x, i) && site->classes.items[i].profile)
            return site->classes.items[i].profile;
    return x->node ? x->node->profile : x->subnet->unknown_profile;
}

static void add_settings(struct exchange *x, const struct option_values *values)
{
    if (values->list.n)
        x->settings[x->settings_n++] = values;
}

void exchange_classify(struct exchange *x)
{
    const struct site *site = x->generation->site;
    struct reader list = dhcp_option(x->packet, DHCP_PARAMETER_LIST);
    if (list.failed)
        memset(x->wanted, 0xff, sizeof(x->wanted));
    for (uint8_t code; list.left;) {
        code = reader_u8(&list);
        x->wanted[code / 8] |= (uint8_t)(1 << code % 8);
    }
    for (size_t i = 0; i < site->classes.n && i < CLASSES_MAX; i++)
        if (is_of(x, &site->classes.items[i]))
            x->classes |= UINT64_C(1) << i;
    const char *name = profile_name(x);
    x->profile = name ? site_profile(site, name) : NULL;
    if (x->node)
        add_settings(x, &x->node->options);
    if (x->profile)
        add_settings(x, &x->profile->options);
    for (size_t i = 0; i < site->classes.n; i++)
        if (is_in(x, i))
            add_settings(x, &site->classes.items[i].options);
    add_settings(x, &x->subnet->options);
}

const struct option_value *exchange_setting(const struct exchange *x, uint8_t code)
{
    for (size_t i = 0; i < x->settings_n; i++) {
        const struct option_value *value = option_values_find(x->settings[i], code);
        if (value)
            return value;
    }
    return NULL;
}

const char *exchange_boot_file(const struct exchange *x)
{
    const struct site *site = x->generation->site;
    for (size_t i = 0; i < site->classes.n; i++)
        if (is_in(x, i) && site->classes.items[i].boot_file)
            return site->classes.items[i].boot_file;
    return x->profile ? x->profile->boot_file : NULL;
}
