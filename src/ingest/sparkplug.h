/* Private to ingest: payloads of Sparkplug B (Eclipse Sparkplug Specification 3.0, clause 6.4.1:
 * org.eclipse.tahu.protobuf.Payload), and the topics they come on. */
#ifndef GENBA_INGEST_SPARKPLUG_H
#define GENBA_INGEST_SPARKPLUG_H

#include "genba/base.h"

typedef enum gb_sparkplug_message {
    GB_SPARKPLUG_NONE, /* another topic */
    GB_SPARKPLUG_NBIRTH,
    GB_SPARKPLUG_NDEATH,
    GB_SPARKPLUG_DBIRTH,
    GB_SPARKPLUG_DDEATH,
    GB_SPARKPLUG_NDATA,
    GB_SPARKPLUG_DDATA,
    GB_SPARKPLUG_OTHER /* commands and states: nothing is measured */
} gb_sparkplug_message;

typedef struct gb_sparkplug_topic {
    gb_sparkplug_message message;
    const char *group, *node,
        *device; /* [.. _size], borrowed from the topic; device "" of a node */
    size_t group_size, node_size, device_size;
} gb_sparkplug_topic;

/* "spBv1.0/GROUP/DDATA/NODE/DEVICE" */
gb_sparkplug_topic gb_sparkplug_topic_parse(const char *topic);

/* DataType of a metric */
enum {
    GB_SPARKPLUG_INT8 = 1,
    GB_SPARKPLUG_UINT64 = 8,
    GB_SPARKPLUG_FLOAT = 9,
    GB_SPARKPLUG_DOUBLE = 10,
    GB_SPARKPLUG_BOOLEAN = 11,
    GB_SPARKPLUG_STRING = 12,
    GB_SPARKPLUG_DATETIME = 13,
    GB_SPARKPLUG_TEXT = 14
};

typedef struct gb_sparkplug_metric {
    const char *name; /* [name_size], NULL: only the alias says which */
    size_t name_size;
    bool has_alias, is_null;
    uint64_t alias;
    int64_t time_ms; /* 0: not given */
    int type;        /* 0: not given (as the birth said) */
    bool has_number, has_bits, has_text;
    double number;    /* float, double, boolean */
    uint64_t bits;    /* int_value and long_value as they are written: signed by `type` */
    const char *text; /* [text_size] */
    size_t text_size;
    const char *unit; /* [unit_size] property engUnit; NULL none */
    size_t unit_size;
} gb_sparkplug_metric;

typedef struct gb_sparkplug_payload {
    int64_t time_ms; /* 0: not given */
    int sequence;    /* 0..255; -1: not given */
} gb_sparkplug_payload;

/* Reads a payload: metrics are handed to visit in their order, borrowed. GB_ERR_PARSE: it is none.
 */
typedef gb_status (*gb_sparkplug_visit)(void *context,
                                        const gb_sparkplug_payload *payload,
                                        const gb_sparkplug_metric *metric);
GB_MUST gb_status gb_sparkplug_read(const void *data,
                                    size_t size,
                                    gb_sparkplug_visit visit,
                                    void *context,
                                    gb_sparkplug_payload *out);
/* The metric's value as a number, by `type` (of the metric or its birth); false: it has none. */
bool gb_sparkplug_number(const gb_sparkplug_metric *metric, int type, double *out);

#endif
