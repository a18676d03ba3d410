/* A leaf: an input, a parameter or a state. Nothing to run. attr: i[0] role, i[1] and f[0] how a
 * parameter starts. Leaves are appended by graph.c. */
#include "tensor/graph.h"

const gb_op_definition gb_op_definition_leaf = {.name = "leaf"};
