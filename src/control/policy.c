/* control/policy.c: what all policies share: their end, and how the precisions they compute in are
 * spelt. */
#include "genba/policy.h"

#include <string.h>

void gb_policy_destroy(gb_policy *policy)
{
    if (policy->destroy)
        policy->destroy(policy->context);
    *policy = (gb_policy){0};
}

const char *gb_precision_name(gb_dtype compute)
{
    return compute == GB_F32 ? "f32" : compute == GB_BF16 ? "bf16" : NULL;
}

gb_status gb_precision_parse(const char *text, gb_dtype *out)
{
    for (int d = 0; d < GB_DTYPE_COUNT; d++) {
        const char *name = gb_precision_name((gb_dtype)d);
        if (name && strcmp(name, text) == 0) {
            *out = (gb_dtype)d;
            return GB_OK;
        }
    }
    return gb_fail(GB_ERR_ARGUMENT, "precision \"%.32s\": expected f32 or bf16", text);
}
