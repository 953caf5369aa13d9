/*
 * /init: the how-to's boot, H20 to H25, in its order.
 */
#pragma once

/* Boots. `argv` is what the kernel gave; what is not ours goes on to the next init. Does not return. */
_Noreturn void boot(char *const argv[]);
