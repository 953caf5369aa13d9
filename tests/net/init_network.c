/* The part of the node's init that sets up the network, as a program, for a network namespace whose
 * /proc/cmdline, /etc/resolv.conf and /run are its own: does what /proc/cmdline says, prints "network: RESULT
 * REASON" and "boot server: ADDRESS", and then, as process 1 does, reaps until no child is left. */
#include "init/files.h"
#include "init/network.h"
#include "init/process.h"

#include <stdio.h>

int main(void)
{
    static struct cmdline cmdline;
    char text[CMDLINE_MAX], line[160], server[16] = "none";
    struct text why;
    int status;

    process_setup();
    if (files_read("/proc/cmdline", text, sizeof(text)) < 0)
        return 1;
    cmdline_parse(text, &cmdline);
    text_start(&why, line, sizeof(line));
    int r = network_address(&cmdline, &why);
    (void)network_boot_server(server);
    printf("network: %d %s\nboot server: %s\n", r, why.at, server);
    fflush(stdout);
    (void)process_wait(0, PROCESS_FOREVER, true, &status);
    return 0;
}
