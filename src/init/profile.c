/* /etc/profile's plain assignments; the contract is in profile.h. */
#include "init/profile.h"

#include <stdbool.h>
#include <string.h>

#include "init/text.h"

static const char name_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

/* Reads one line of `length` bytes without its newline. */
static bool read_line(const char *s, size_t length, struct profile_variable *ret)
{
    struct profile_variable variable;
    char line[sizeof(variable.name) + sizeof(variable.value) + 16];

    if (text_copy(line, sizeof(line), s, length) < 0)
        return false;
    char *name = line + strspn(line, " \t");
    if (strncmp(name, "export", 6) == 0 && name[6] && strchr(" \t", name[6]))
        name += 6 + strspn(name + 6, " \t");
    size_t name_length = strspn(name, name_characters);
    if (name_length == 0 || name[name_length] != '=' || (name[0] >= '0' && name[0] <= '9'))
        return false;
    char *value = name + name_length + 1;
    const char *quote = *value == '\'' ? "'" : *value == '"' ? "\"" : "";
    if (*quote)
        value++;
    size_t value_length = strcspn(value, *quote ? quote : " \t\r#'\"");
    const char *rest = value + value_length;
    if (*quote && *rest++ != *quote)
        return false;
    if (rest[strspn(rest, " \t\r")] && rest[strspn(rest, " \t\r")] != '#')
        return false;
    value[value_length] = '\0';
    if (*quote != '\'' && strpbrk(value, "$`\\"))
        return false;
    if (!*quote && strpbrk(value, ";&|<>()*?"))
        return false;
    if (text_copy(variable.name, sizeof(variable.name), name, name_length) < 0 ||
        text_copy(variable.value, sizeof(variable.value), value, value_length) < 0)
        return false;
    *ret = variable;
    return true;
}

int profile_next(const char **text, struct profile_variable *ret)
{
    while (**text) {
        const char *line = *text;
        size_t length = strcspn(line, "\n");

        *text += length + (line[length] == '\n');
        if (read_line(line, length, ret))
            return 1;
    }
    return 0;
}
