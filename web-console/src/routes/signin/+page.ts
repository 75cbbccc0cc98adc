// A session whose second step is still to come goes on there, also after the page was loaded anew.
import { whoAmI } from '$lib/api/client';

export async function load() {
  const session = await whoAmI().catch(() => null); // no server: the form says so when it is used
  return { session: session?.second_factor === 'needed' ? session : null };
}
