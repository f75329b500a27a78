/** Texts of what is open to those who are not signed in. */

export const en = {
  open: {
    noKey: "These need no key. Sign in to see all others.",
  },
};

export const zh: typeof en = {
  open: {
    noKey: "这些模型不需要密钥。登录后可以查看其他模型。",
  },
};
