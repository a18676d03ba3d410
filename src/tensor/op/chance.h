/* op/chance.h: which random stream a node reads at a step. */
#ifndef GENBA_OP_CHANCE_H
#define GENBA_OP_CHANCE_H

#include "tensor/graph.h"

/* attr.i[0] is the node's stream number. */
static inline uint64_t gb_chance_stream(const gb_run *run, int step_operand)
{
    uint32_t step = (uint32_t) * (const int32_t *)run->in[step_operand].data;
    return (uint64_t)run->node->attr.i[0] << 32 | step;
}

#endif
