/* control/policy.c: what all policies share. */
#include "genba/policy.h"

void gb_policy_destroy(gb_policy *policy)
{
    if (policy->destroy)
        policy->destroy(policy->context);
    *policy = (gb_policy){0};
}
