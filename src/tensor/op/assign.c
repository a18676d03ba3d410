/* target = value, in place. Operands: target (a parameter or a state), value of its shape and type.
 */
#include <string.h>

#include "tensor/op/check.h"

gb_value gb_op_assign(gb_graph *g, gb_value target, gb_value value)
{
    gb_value operands[] = {target, value};
    if (!gb_graph_usable(g, "assign", 2, operands) || !gb_check_leaf(g, "assign", "target", target))
        return GB_NONE;
    gb_shape shape = gb_value_shape(g, target);
    gb_dtype dtype = gb_value_dtype(g, target);
    if (!gb_check_tensor(g, "assign", "value", value, dtype, shape))
        return GB_NONE;
    return gb_graph_append(g, GB_OP_ASSIGN, dtype, shape, 2, operands, NULL);
}

static void assign_range(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    size_t bytes = gb_dtype_bytes(run->out.dtype);
    if (run->out.data != run->in[1].data)
        memcpy((char *)run->out.data + (size_t)begin * bytes,
               (const char *)run->in[1].data + (size_t)begin * bytes,
               (size_t)(end - begin) * bytes);
}

static void run_assign(const gb_run *run)
{
    gb_run_ranges(run, gb_shape_count(&run->out.shape), 1, assign_range);
}

static uint64_t flops(const gb_node *node, const gb_shape *in)
{
    (void)node;
    (void)in;
    return 0;
}

const gb_op_definition gb_op_definition_assign = {
    .name = "assign", .run = run_assign, .flops = flops, .updates = 1};
