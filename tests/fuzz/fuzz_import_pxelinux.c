/* Fuzzes the reader of PXELINUX's files. */
#define FORMAT IMPORT_PXELINUX
#define NAME   "pxelinux.cfg/01-52-54-00-00-00-01"
#include "import_fuzz.h"
