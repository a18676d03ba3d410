/* train/checkpoint.h: reading a checkpoint's notes. Inside the room only. */
#ifndef GENBA_TRAIN_CHECKPOINT_H
#define GENBA_TRAIN_CHECKPOINT_H

#include "genba/train.h"

/* The text noted under `name` when the checkpoint was saved, into text[size]; "" when there is
 * none. The manifest is verified. */
GB_MUST gb_status gb_checkpoint_note(const char *folder, const char *name, char *text, size_t size);

#endif
