/* Fuzzes the reader of dnsmasq's hosts. */
#define FORMAT IMPORT_DNSMASQ
#define NAME   "dnsmasq.conf"
#include "import_fuzz.h"
