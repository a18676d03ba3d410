/* control/blackbox_write.h: the file of a black box being written: chained blocks of records, and
 * the same as streams that every viewer shows. By one thread; it may wait for the disk. Private to
 * the room. */
#ifndef GENBA_CONTROL_BLACKBOX_WRITE_H
#define GENBA_CONTROL_BLACKBOX_WRITE_H

#include "control/blackbox_format.h"
#include "genba/mcap.h"
#include "record/recording_file.h"

/* ---- the file ---- */

/* PATH.part until it is closed; then PATH. Abandoned, it stays as PATH.part: half a record of what
 * happened is worth more than none. GB_ERR_ARGUMENT: one of the two is there already. */
GB_MUST gb_status gb_box_file_create(const char *path, gb_bytes_out **out);
/* What was written so far survives a power cut. */
GB_MUST gb_status gb_box_file_sync(gb_bytes_out *file);

/* ---- streams for viewers ---- */
typedef struct gb_box_streams gb_box_streams;

GB_MUST gb_status gb_box_streams_create(const gb_plant_info *machine,
                                        int64_t tick_ns,
                                        bool has_policy,
                                        int64_t most_ticks,
                                        gb_recording_writer *writer,
                                        gb_box_streams **out);
void gb_box_streams_destroy(gb_box_streams *streams); /* NULL is fine */
/* ticks [count], count <= most_ticks. */
GB_MUST gb_status gb_box_streams_ticks(gb_box_streams *streams,
                                       const gb_tick *const *ticks,
                                       int64_t count);
GB_MUST gb_status gb_box_streams_decision(gb_box_streams *streams, const gb_decision *decision);

/* ---- all of it ---- */
typedef struct gb_box_writer gb_box_writer;

GB_MUST gb_status gb_box_writer_create(const gb_blackbox_options *options, gb_box_writer **out);
/* Leaves PATH.part unless it was closed; NULL is fine. */
void gb_box_writer_destroy(gb_box_writer *writer);
/* The first failure is remembered: all later calls return it and do nothing. */
GB_MUST gb_status gb_box_writer_tick(gb_box_writer *writer, const gb_tick *tick);
GB_MUST gb_status gb_box_writer_decision(gb_box_writer *writer, const gb_decision *decision);
GB_MUST gb_status gb_box_writer_lost(gb_box_writer *writer, const gb_box_totals *totals);
/* Everything up to here is on the disk when it returns. */
GB_MUST gb_status gb_box_writer_sync(gb_box_writer *writer);
GB_MUST gb_status gb_box_writer_close(gb_box_writer *writer, const gb_box_totals *totals);
#endif
