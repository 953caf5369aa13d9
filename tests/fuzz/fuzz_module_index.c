/*
 * The index of modules that a node reads, asked what an alias stands for; and the kernel's messages about
 * devices. The input is an index, and behind its first NUL, if there is one, an alias and the rest a message.
 */
#include "init/moduleindex.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void found(void *user, unsigned module)
{
    const struct module_index *index = user;
    must(module < index->module_count);
}

static void ask(struct module_index *index, const char *modalias)
{
    const char *at = NULL;
    enum module_step step;
    unsigned number;
    for (unsigned i = 0; i < index->module_count; i++) {
        must(index->modules[i].length > 0 && index->modules[i].path[0] != '/');
        for (at = NULL; module_index_step(&index->modules[i], &at, &step, &number);)
            must(number < index->module_count);
    }
    for (at = NULL; module_index_at_once(index, &at, &number);)
        must(number < index->module_count);
    module_index_match(index, modalias, found, index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct module_index index;
    char *text = malloc(size + 1);
    must(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    size_t length = strlen(text);
    const char *modalias = length < size ? text + length + 1 : "pci:v00001AF4d00001000sv0sd0bc02sc00i00";
    if (module_index_parse(text, length + 1, &index) == 0) {
        ask(&index, modalias);
        module_index_free(&index);
    }
    const char *alias = module_event_alias(text, size + 1);
    must(!alias || strlen(alias) <= size);
    free(text);
    return 0;
}
