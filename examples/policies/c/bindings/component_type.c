// policy.c calls this function to make the linker include policy_component_type.o, a binary
// description of the world that wit-bindgen also generates. `carom policy build` writes that
// description from wit/ itself, so only the name is left.
void __component_type_object_force_link_policy(void);
void __component_type_object_force_link_policy(void) {}
