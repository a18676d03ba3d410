/* Broadcasting arithmetic for op/strides.h. */
#include "tensor/op/strides.h"

static int64_t dim_from_end(const gb_shape *shape, int from_end)
{
    int axis = shape->rank - 1 - from_end;
    return axis >= 0 ? shape->dim[axis] : 1;
}

bool gb_shape_broadcast(const gb_shape *a, const gb_shape *b, gb_shape *out)
{
    gb_shape joint = {.rank = a->rank > b->rank ? a->rank : b->rank};
    if (!gb_shape_valid(a) || !gb_shape_valid(b))
        return false;
    for (int i = 0; i < joint.rank; i++) {
        int64_t da = dim_from_end(a, i), db = dim_from_end(b, i);
        if (da != db && da != 1 && db != 1)
            return false;
        joint.dim[joint.rank - 1 - i] = da > db ? da : db;
    }
    *out = joint;
    return true;
}

gb_strides gb_strides_of(const gb_shape *out, const gb_shape *a, const gb_shape *b)
{
    /* Axes from the last to the first, joined while both operands keep walking alike. */
    int64_t dim[GB_RANK_MAX + 1], sa[GB_RANK_MAX + 1], sb[GB_RANK_MAX + 1];
    int count = 0;
    int64_t step_a = 1, step_b = 1;
    for (int i = 0; i < out->rank; i++) {
        int64_t n = out->dim[out->rank - 1 - i], na = dim_from_end(a, i), nb = dim_from_end(b, i);
        if (n == 1)
            continue;
        int64_t here_a = na == 1 ? 0 : step_a, here_b = nb == 1 ? 0 : step_b;
        step_a *= na;
        step_b *= nb;
        if (count && here_a == sa[count - 1] * dim[count - 1] &&
            here_b == sb[count - 1] * dim[count - 1]) {
            dim[count - 1] *= n;
            continue;
        }
        dim[count] = n;
        sa[count] = here_a;
        sb[count] = here_b;
        count++;
    }
    gb_strides s = {.rows = 1, .inner = 1, .inner_a = 1, .inner_b = 1};
    if (count) {
        s.inner = dim[0];
        s.inner_a = sa[0];
        s.inner_b = sb[0];
    }
    for (int i = count - 1; i >= 1; i--) {
        s.dim[s.rank] = dim[i];
        s.a[s.rank] = sa[i];
        s.b[s.rank++] = sb[i];
        s.rows *= dim[i];
    }
    return s;
}
