/* Status codes, their texts, and the message of each thread's last failure.
 * Not for logging: a message here waits to be asked for, it goes nowhere by itself. */
#include <stdio.h>
#include <string.h>

#include "genba/base.h"

enum {
    MESSAGE_BYTES = 2048
};

static _Thread_local char last_message[MESSAGE_BYTES];

const char *gb_status_text(gb_status status)
{
    switch (status) {
#define GB_STATUS_CASE(name, code, text)                                                           \
    case name:                                                                                     \
        return text;
        GB_STATUS_LIST(GB_STATUS_CASE)
#undef GB_STATUS_CASE
    }
    return "unknown status";
}

const char *gb_status_name(gb_status status)
{
    switch (status) {
#define GB_STATUS_CASE(name, code, text)                                                           \
    case name:                                                                                     \
        return #name;
        GB_STATUS_LIST(GB_STATUS_CASE)
#undef GB_STATUS_CASE
    }
    return "GB_ERR_?";
}

const char *gb_error_message(void)
{
    return last_message;
}

/* Replaces a cut end by "..." without leaving half a UTF-8 character before it. */
static void mark_cut(char message[MESSAGE_BYTES])
{
    size_t end = MESSAGE_BYTES - 4;
    while (end > 0 && ((unsigned char)message[end] & 0xC0) == 0x80)
        end--;
    memcpy(message + end, "...", 4);
}

/* The text is formatted beside the old message, because an argument may be the old message. */
gb_status gb_fail(gb_status status, const char *format, ...)
{
    char message[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (length < 0)
        message[0] = 0;
    if (length >= MESSAGE_BYTES)
        mark_cut(message);
    memcpy(last_message, message, strlen(message) + 1);
    return status;
}

gb_status gb_fail_context(gb_status status, const char *format, ...)
{
    char message[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (length < 0)
        message[0] = 0;
    size_t used = strlen(message);
    int rest = snprintf(message + used, sizeof message - used, ": %s", last_message);
    if (rest >= (int)(sizeof message - used))
        mark_cut(message);
    memcpy(last_message, message, strlen(message) + 1);
    return status;
}

const char *gb_version(void)
{
    return "0.1.0";
}
