/* control/link_dds_log.h: what Cyclone DDS says of itself. It has one log for the whole process,
 * which by default goes to stderr, a line for each malformed packet. Private to the DDS link. */
#ifndef GENBA_CONTROL_LINK_DDS_LOG_H
#define GENBA_CONTROL_LINK_DDS_LOG_H

#include <stdint.h>

/* Takes the log over; more than once is fine. */
void gb_dds_log_begin(void);
/* Packets and messages that Cyclone could not read since then, in all domains. Any thread. */
int64_t gb_dds_log_corrupt(void);
/* The last error that this thread caused, "" none; forgets it on the next gb_dds_log_begin. */
const char *gb_dds_log_error(void);

#endif
