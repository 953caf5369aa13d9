/* The pure part of facts.h: texts of /proc -> numbers. */
#include <arpa/inet.h>
#include <string.h>

#include "init/facts.h"
#include "init/text.h"

static const struct {
    const char *name;
    int index;
} memory_lines[] = {
    {"MemTotal:", 0}, {"MemFree:", 1}, {"MemAvailable:", 2},
    {"Buffers:", 3},  {"Cached:", 4},  {"SReclaimable:", 5},
};

static uint64_t leading_number(const char *s)
{
    uint64_t value = 0;

    for (s += strspn(s, " "); *s >= '0' && *s <= '9'; s++)
        value = value * 10 + (uint64_t)(*s - '0');
    return value;
}

void facts_parse_memory(const char *meminfo, struct facts_memory *ret)
{
    uint64_t values[6] = {0};

    for (const char *line = meminfo; *line; line += strcspn(line, "\n"), line += *line == '\n')
        for (size_t i = 0; i < sizeof(memory_lines) / sizeof(memory_lines[0]); i++) {
            size_t length = strlen(memory_lines[i].name);
            if (strncmp(line, memory_lines[i].name, length) == 0)
                values[memory_lines[i].index] = leading_number(line + length);
        }
    uint64_t unused = values[1] + values[3] + values[4] + values[5];
    *ret = (struct facts_memory){
        .total_kb = values[0],
        .free_kb = values[1],
        .available_kb = values[2],
        .used_kb = values[0] > unused ? values[0] - unused : 0,
    };
}

int facts_next_interface(const char **dev, char ret[static IFNAMSIZ])
{
    while (**dev) {
        const char *line = *dev + strspn(*dev, " ");
        size_t length = strcspn(line, "\n");
        const char *colon = memchr(line, ':', length);

        *dev = line + length + (line[length] == '\n');
        if (colon && colon > line && !memchr(line, '|', (size_t)(colon - line)) &&
            text_copy(ret, IFNAMSIZ, line, (size_t)(colon - line)) == 0)
            return 1;
    }
    return 0;
}

unsigned facts_count_lines(const char *text)
{
    unsigned lines = 0;

    for (; *text; text++)
        if (*text == '\n' || text[1] == '\0')
            lines++;
    return lines;
}

int facts_prefix(uint32_t netmask)
{
    return __builtin_popcount(ntohl(netmask));
}

const struct facts_interface *facts_main_interface(const struct facts_interface *interfaces, unsigned count)
{
    const struct facts_interface *first = NULL;

    for (unsigned i = 0; i < count; i++) {
        if (strcmp(interfaces[i].name, "lo") == 0)
            continue;
        if (interfaces[i].address[0])
            return &interfaces[i];
        if (!first && interfaces[i].card)
            first = &interfaces[i];
    }
    return first;
}
