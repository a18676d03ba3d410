/* control/link_dds_cdr.h: a ROS 2 message as the bytes that travel. The link itself leaves that to
 * Cyclone DDS; a peer that harms messages, and tests, need the bytes. Private to the DDS link. */
#ifndef GENBA_CONTROL_LINK_DDS_CDR_H
#define GENBA_CONTROL_LINK_DDS_CDR_H

#include "control/link_dds_types.h"

/* Plain CDR (XCDR1) behind the four bytes of its encapsulation, as rosbag files hold it too. Free
 * *out_bytes with free(). */
GB_MUST gb_status gb_dds_cdr_write(const gb_dds_type *type,
                                   const void *message,
                                   unsigned char **out_bytes,
                                   size_t *out_size);
/* Checks the bytes and makes a message of them. GB_ERR_CORRUPT: they are none. */
GB_MUST gb_status gb_dds_cdr_read(const gb_dds_type *type,
                                  const unsigned char *bytes,
                                  size_t size,
                                  void **out_message);
void gb_dds_cdr_free(const gb_dds_type *type, void *message); /* NULL is fine */

#endif
