/* Fuzzes the reader of ISC dhcpd's hosts. */
#define FORMAT IMPORT_ISC
#define NAME   "isc.conf"
#include "import_fuzz.h"
