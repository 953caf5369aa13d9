/*
 * The kernel command line, and what is read out of its values: root=, the report's server, and the JSON that
 * carries the line back. Init reads what a boot loader's prompt let somebody type.
 */
#include "init/cmdline.h"
#include "init/report.h"
#include "init/rootspec.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char json[6 * CMDLINE_MAX + 3];
    struct cmdline cmdline;
    struct rootspec spec;
    struct sockaddr_in server;
    struct text text;
    const char *why = NULL;

    if (size >= CMDLINE_MAX)
        return 0;
    char *line = malloc(size + 1);
    must(line != NULL);
    memcpy(line, data, size);
    line[size] = '\0';
    cmdline_parse(line, &cmdline);
    must(cmdline.init_refused ? !cmdline.init[0] : cmdline.init[0] == '/');
    must(cmdline.rootwait >= 0 && cmdline.rootwait <= 3600);
    must(cmdline.problem_count <= CMDLINE_PROBLEMS);
    if (rootspec_parse(cmdline.root, cmdline.nfsroot, &spec, &why) < 0)
        must(why != NULL);
    (void)report_server(cmdline.server, &server);
    text_start(&text, json, sizeof(json));
    text_json(&text, line);
    must(!text.cut && text.used >= 2 && json[text.used - 1] == '"');
    free(line);
    return 0;
}
