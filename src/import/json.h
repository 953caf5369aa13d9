/* JSON as Kea reads it: with three kinds of comments, commas behind the last item, and files that are
 * included; and with the place of every value. Internal to src/import. */
#pragma once

#include "import/input.h"

enum json_kind { JSON_VALUE_OBJECT, JSON_VALUE_ARRAY, JSON_VALUE_STRING, JSON_VALUE_OTHER };

/* One value. An object's members are keys (strings) and values in turn. */
struct json_value {
    enum json_kind kind;
    unsigned line, column;
    size_t text; /* of strings, and of numbers, true, false, null: in json.texts */
    size_t next; /* the index behind this value and all in it */
};

struct json {
    VEC(struct json_value) values; /* each before what is in it */
    struct str texts;              /* one after the other, each with its NUL */
};

/* Reads the whole text. The value at index 0 is an array of all that stands in it: one object, or items with
 * commas between them, as files have that are included. 0, or -EINVAL with an error said; the caller's to
 * free in both cases. */
int json_read(struct input *s, struct json *json);
void json_free(struct json *json);

/* The value of a member of the object at index `object`; its index, or 0 when there is none (0 is the whole,
 * and no member). */
size_t json_member(const struct json *json, size_t object, const char *key);
/* The text of a string, number or word; NULL of an object or an array. */
const char *json_text(const struct json *json, size_t value);
struct pos json_pos(const struct input *s, const struct json *json, size_t value);

/* Runs over the items of the array (or the keys and values of the object) at index `of`. */
#define JSON_EACH(it, json, of)                                                                              \
    for (size_t it = (of) + 1; it < (json)->values.items[of].next; it = (json)->values.items[it].next)
