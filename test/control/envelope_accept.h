/* Envelope files that must be accepted, and those that must be refused with a word in the message.
 */
#ifndef TEST_CONTROL_ENVELOPE_ACCEPT_H
#define TEST_CONTROL_ENVELOPE_ACCEPT_H

#include "control/envelope_machine.h"

static inline void accept_for(const char *text, const gb_plant_info *info)
{
    gb_envelope *envelope = NULL;
    if (load_for(text, info, &envelope) != GB_OK)
        fail_msg("%s\n%s", gb_error_message(), text);
    gb_envelope_destroy(envelope);
}

static inline void accept(const char *text)
{
    accept_for(text, &machine);
}

/* Refused, with these words in the message. */
static inline void refuse_for(const char *text, const gb_plant_info *info, const char *says)
{
    gb_envelope *envelope = NULL;
    if (load_for(text, info, &envelope) != GB_ERR_SCHEMA)
        fail_msg("accepted:\n%s", text);
    assert_null(envelope);
    if (!strstr(gb_error_message(), says))
        fail_msg("\"%s\" lacks \"%s\"", gb_error_message(), says);
}

static inline void refuse(const char *text, const char *says)
{
    refuse_for(text, &machine, says);
}

#endif
