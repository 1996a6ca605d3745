// policy.c asks for this function to make the linker take policy_component_type.o, a binary description of the world that
// wit-bindgen makes too. `carom policy build` writes that description from wit/ itself, so nothing is left of it but the name.
void __component_type_object_force_link_policy(void);
void __component_type_object_force_link_policy(void) {}
