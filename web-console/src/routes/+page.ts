// The main page is for those signed in; everyone else goes to the door first.
import { redirect } from '@sveltejs/kit';
import { whoAmI } from '$lib/api/client';

export async function load({ depends }) {
  depends('loa:session');
  const session = await whoAmI();
  if (session === null) redirect(307, '/signin');
  return { user: session.user };
}
