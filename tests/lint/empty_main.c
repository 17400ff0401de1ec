/* SPDX-License-Identifier: Apache-2.0 */
/* The program lint.archives links each layer's whole archive into. */
int main(void)
{
    return 0;
}
