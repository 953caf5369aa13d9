/* See serve/counters.h. */
#include "serve/counters.h"
#include "proto/dhcp.h"
#include "serve/dhcp.h"

#include <stdio.h>

_Static_assert(COUNT_DHCP_IN_LAST - COUNT_DHCP_IN == DHCP_TYPE_COUNT - 1, "a counter for each message type");
_Static_assert(COUNT_DHCP_MALFORMED_LAST - COUNT_DHCP_MALFORMED == DHCP_DEFECT_COUNT - 2,
               "a counter for each defect");
_Static_assert(COUNT_DHCP_SILENT_LAST - COUNT_DHCP_SILENT == SILENCE_COUNT - 2, "a counter for each reason");

static const char *type_label(unsigned i)
{
    return dhcp_type_name(i);
}

static const char *defect_label(unsigned i)
{
    return dhcp_defect_name((enum dhcp_defect)(i + 1));
}

static const char *silence_label(unsigned i)
{
    return dhcp_silence_name((enum dhcp_silence)(i + 1));
}

/* Families: several counters under one name, told apart by a label. */
static const struct {
    unsigned first, last;
    const char *name, *label;
    const char *(*value)(unsigned i);
} families[] = {
    {COUNT_DHCP_IN, COUNT_DHCP_IN_LAST, "rambox_dhcp_received_total", "type", type_label},
    {COUNT_DHCP_MALFORMED, COUNT_DHCP_MALFORMED_LAST, "rambox_dhcp_malformed_total", "defect", defect_label},
    {COUNT_DHCP_SILENT, COUNT_DHCP_SILENT_LAST, "rambox_dhcp_silent_total", "reason", silence_label},
};

static const char *const names[COUNTER_COUNT] = {
    [COUNT_DHCP_OFFER] = "rambox_dhcp_sent_total{type=\"OFFER\"}",
    [COUNT_DHCP_ACK] = "rambox_dhcp_sent_total{type=\"ACK\"}",
    [COUNT_DHCP_NAK] = "rambox_dhcp_sent_total{type=\"NAK\"}",
    [COUNT_DHCP_BOOTP] = "rambox_dhcp_sent_total{type=\"BOOTP\"}",
    [COUNT_DHCP_DECLINED] = "rambox_dhcp_declined_total",
    [COUNT_TFTP_STARTED] = "rambox_tftp_started_total",
    [COUNT_TFTP_FINISHED] = "rambox_tftp_ended_total{how=\"finished\"}",
    [COUNT_TFTP_ABORTED] = "rambox_tftp_ended_total{how=\"aborted\"}",
    [COUNT_TFTP_TIMEOUT] = "rambox_tftp_ended_total{how=\"timeout\"}",
    [COUNT_TFTP_NOT_FOUND] = "rambox_tftp_refused_total{reason=\"not-found\"}",
    [COUNT_TFTP_REFUSED] = "rambox_tftp_refused_total{reason=\"refused\"}",
    [COUNT_TFTP_MALFORMED] = "rambox_tftp_refused_total{reason=\"malformed\"}",
    [COUNT_TFTP_STRAY] = "rambox_tftp_refused_total{reason=\"stray\"}",
    [COUNT_TFTP_LIMITED] = "rambox_tftp_refused_total{reason=\"limited\"}",
    [COUNT_TFTP_BYTES] = "rambox_tftp_bytes_total",
    [COUNT_TFTP_RETRANSMITTED] = "rambox_tftp_retransmitted_total",
    [COUNT_HTTP_REQUESTS] = "rambox_http_requests_total",
    [COUNT_HTTP_BAD] = "rambox_http_bad_total",
    [COUNT_HTTP_STARTED] = "rambox_http_started_total",
    [COUNT_HTTP_FINISHED] = "rambox_http_ended_total{how=\"finished\"}",
    [COUNT_HTTP_ABORTED] = "rambox_http_ended_total{how=\"aborted\"}",
    [COUNT_HTTP_TIMEOUT] = "rambox_http_ended_total{how=\"timeout\"}",
    [COUNT_HTTP_NOT_FOUND] = "rambox_http_refused_total{reason=\"not-found\"}",
    [COUNT_HTTP_REFUSED] = "rambox_http_refused_total{reason=\"refused\"}",
    [COUNT_HTTP_LIMITED] = "rambox_http_refused_total{reason=\"limited\"}",
    [COUNT_HTTP_LIMITED_CLIENTS] = "rambox_http_connections_refused_total{reason=\"limited\"}",
    [COUNT_HTTP_SLOW] = "rambox_http_connections_refused_total{reason=\"slow\"}",
    [COUNT_HTTP_BYTES] = "rambox_http_bytes_total",
    [COUNT_REPORTS] = "rambox_reports_total",
    [COUNT_BOOTS] = "rambox_boots_total",
};

const char *counter_name(unsigned which, char buf[static COUNTER_NAME_MAX])
{
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        if (which < families[i].first || which > families[i].last)
            continue;
        snprintf(buf, COUNTER_NAME_MAX, "%s{%s=\"%s\"}", families[i].name, families[i].label,
                 families[i].value(which - families[i].first));
        return buf;
    }
    return names[which];
}
