/* See options.h. */
#include "options.h"
#include "base/addr.h"
#include "base/str.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

void options_usage(const struct option_table *table, FILE *out)
{
    fputs(table->usage, out);
    for (size_t i = 0; i < table->n; i++) {
        const struct option_spec *o = &table->specs[i];
        fprintf(out, "  %-13s %-8s %s\n", o->name, o->value ? o->value : "", o->help);
    }
    fputs(table->examples, out);
}

static int parse_decimal(const char *text, double max, double *ret_value)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end || errno || !(value >= 0 && value <= max))
        return -EINVAL;
    *ret_value = value;
    return 0;
}

static int parse_ms(const char *text, uint64_t min, uint64_t max, uint64_t *ret_ms)
{
    double seconds = 0;
    if (parse_decimal(text, (double)max / 1000, &seconds) < 0)
        return -EINVAL;
    *ret_ms = (uint64_t)(seconds * 1000 + 0.5);
    return *ret_ms < min ? -ERANGE : 0;
}

static int parse_percent(const char *text, double *ret_share)
{
    double percent = 0;
    int r = parse_decimal(text, 100, &percent);
    if (r == 0)
        *ret_share = percent / 100;
    return r;
}

static int take_value(const struct option_spec *spec, const char *value, void *target)
{
    switch (spec->kind) {
    case OPTION_FLAG:
        return *(bool *)target = true, 0;
    case OPTION_TEXT:
        return *(const char **)target = value, 0;
    case OPTION_NUMBER:
        return parse_u64(value, spec->min, spec->max, target);
    case OPTION_SECONDS:
        return parse_ms(value, spec->min, spec->max, target);
    case OPTION_SHARE:
        return parse_percent(value, target);
    case OPTION_ADDRESS:
        return ipv4_parse(value, target);
    case OPTION_MAC:
        return mac_parse(value, target);
    }
    return -EINVAL;
}

static int take_one(const struct option_table *table, char **argv, int *at, void *values)
{
    const struct option_spec *spec = table->specs, *end = spec + table->n;
    while (spec < end && !str_eq(spec->name, argv[*at]))
        spec++;
    if (spec == end) {
        fprintf(stderr, "%s: there is no option %s: see %s --help\n", table->program, argv[*at],
                table->program);
        return -EINVAL;
    }
    const char *value = spec->value ? argv[++*at] : "";
    if (value && take_value(spec, value, (char *)values + spec->offset) == 0)
        return 0;
    fprintf(stderr, "%s: %s wants %s (%s), not %s\n", table->program, spec->name, spec->value, spec->help,
            value ? value : "nothing");
    return -EINVAL;
}

int options_take(const struct option_table *table, int argc, char **argv, void *values)
{
    for (int i = 1; i < argc; i++)
        if (take_one(table, argv, &i, values) < 0)
            return -EINVAL;
    return 0;
}
