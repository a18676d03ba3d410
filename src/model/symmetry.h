/* model/symmetry.h: mapping poses by a declared symmetry of the plane. For rooms only. */
#ifndef GENBA_MODEL_SYMMETRY_H
#define GENBA_MODEL_SYMMETRY_H

#include "model/model.h"

/* matrix orthogonal, lists of the right length; goals must stay where they are, and under a
 * reflection each body must be its own mirror image. */
GB_MUST gb_status gb_symmetry_check(const gb_codec_config *codec, const gb_config_place *place);

/* Both may be called with symmetry NULL: nothing changes. In place is fine. */
void gb_symmetry_map_point(const gb_symmetry *symmetry, const float point[2], float out[2]);
/* A body's angle, in radians, not wrapped. */
float gb_symmetry_map_angle(const gb_symmetry *symmetry, float angle_rad);

/* The symmetry of a view, NULL for a window as it was recorded. */
const gb_symmetry *gb_symmetry_of(const gb_model_config *config, const gb_window_view *view);

#endif
