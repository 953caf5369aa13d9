/*
 * What a node finds in /sys and in its kernel's log. The input is lines: a `@` begins a device of three
 * words, modalias, place and driver; all else is the log. What comes out is read as the server reads it.
 */
#include "init/inventory.h"
#include "model/machine.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Takes the next word off *at; empty at the end. */
static const char *word(char **at)
{
    const char *found = *at;
    size_t length = strcspn(found, " ");
    bool more = found[length];
    (*at)[length] = '\0';
    *at += length + more;
    return found;
}

static void take_device(struct inventory *inventory, char *line)
{
    char *at = line;
    const char *modalias = word(&at), *where = word(&at), *driver = word(&at);
    inventory_add(inventory, modalias, where, driver);
}

static void check_json(const struct inventory *inventory, int level)
{
    static char buffer[4 * INVENTORY_TEXT];
    char error[MACHINE_ERROR_MAX], class[MACHINE_CLASS_SIZE];
    struct machine m;
    struct text text;
    text_start(&text, buffer, sizeof(buffer));
    inventory_json(inventory, level, &text);
    must(!text.cut);
    json_t *object = json_loads(buffer, JSON_REJECT_DUPLICATES, NULL);
    must(object != NULL);
    if (machine_parse(object, &m, error, sizeof(error)) == 0) {
        machine_class(&m, class);
        must(is_machine_class(class) && m.devices.n <= inventory->device_count);
        machine_clear(&m);
    } else {
        must(strcmp(error, "devices: expected at least one") == 0);
        must(level > 0 || inventory->device_count == 0);
    }
    json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct inventory inventory;
    char *text = malloc(size + 1), *save = NULL;
    must(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    inventory_start(&inventory);
    memcpy(inventory.arch, "x86_64", sizeof("x86_64"));
    inventory_add_firmware(&inventory, text);
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (line[0] == '@')
            take_device(&inventory, line + 1);
    for (int level = 0; level < INVENTORY_LEVELS; level++)
        check_json(&inventory, level);
    free(text);
    return 0;
}
